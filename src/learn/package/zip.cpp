#include "learn/package/full.h"

#include <fmt/format.h>

#include <zip.h>

#include <memory>

namespace stator::package {

namespace {

struct Closer {
    void operator()(zip_source_t* source) const { zip_source_free(source); }

    void operator()(zip_t* archive) const { zip_discard(archive); }
};

std::unexpected<Error> fault_of(const char* what, const char* why) {
    return fail(base::Fault::io, fmt::format("the model's zip: cannot {}: {}", what, why));
}

Outcome<void> add(zip_t* archive, const std::string& name, const std::string& bytes) {
    zip_source_t* content = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    if (content == nullptr) return fault_of("add", zip_strerror(archive));
    const zip_int64_t index = zip_file_add(archive, name.c_str(), content, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(content);
        return fault_of("add", zip_strerror(archive));
    }
    // The time of making stays out, so that the same model gives the same bytes: 1980-01-01.
    constexpr zip_uint16_t dos_date = (1U << 5U) | 1U;
    if (zip_file_set_dostime(archive, static_cast<zip_uint64_t>(index), 0, dos_date, 0) != 0)
        return fault_of("date", zip_strerror(archive));
    return {};
}

Outcome<std::string> read_back(zip_source_t* source) {
    if (zip_source_open(source) != 0) return fault_of("open", "in memory");
    std::string bytes;
    char part[4096];
    zip_int64_t count = 0;
    while ((count = zip_source_read(source, part, sizeof part)) > 0)
        bytes.append(part, static_cast<std::size_t>(count));
    zip_source_close(source);
    if (count < 0) return fault_of("read", "in memory");
    return bytes;
}

constexpr zip_int64_t entries_max = 16;
constexpr zip_uint64_t entry_bytes_max = 64U << 20U;

Outcome<std::string> read_entry(zip_t* archive, zip_uint64_t index, std::uint64_t bytes) {
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file{
        zip_fopen_index(archive, index, 0), zip_fclose
    };
    if (!file) return fault_of("open an entry", zip_strerror(archive));
    std::string content(bytes + 1, '\0');  // libzip compares the checksum where the end is read
    std::size_t read = 0;
    zip_int64_t count = 0;
    while (read < content.size() &&
           (count = zip_fread(file.get(), &content[read], content.size() - read)) > 0)
        read += static_cast<std::size_t>(count);
    if (count < 0 || read != bytes) return fault_of("read an entry", zip_file_strerror(file.get()));
    content.resize(read);
    return content;
}

}  // namespace

Outcome<std::map<std::string, std::string>> unzip(
    std::string_view zipped, const std::string& name
) {
    const auto corrupt = [&](const std::string& why) {
        return fail(base::Fault::corrupt, fmt::format("{}: {}", name, why));
    };
    zip_error_t error;
    zip_error_init(&error);
    std::unique_ptr<zip_source_t, Closer> source{
        zip_source_buffer_create(zipped.data(), zipped.size(), 0, &error)
    };
    if (!source) return corrupt(zip_error_strerror(&error));
    const std::unique_ptr<zip_t, Closer> archive{
        zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error)
    };
    if (!archive) return corrupt(fmt::format("is no zip: {}", zip_error_strerror(&error)));
    static_cast<void>(source.release());  // the archive's now
    const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
    if (count > entries_max) return corrupt(fmt::format("has {} entries", count));
    std::map<std::string, std::string> made;
    for (zip_int64_t i = 0; i < count; ++i) {
        zip_stat_t facts;
        const auto index = static_cast<zip_uint64_t>(i);
        constexpr zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE;
        if (zip_stat_index(archive.get(), index, 0, &facts) != 0 ||
            (facts.valid & wanted) != wanted || facts.size > entry_bytes_max)
            return corrupt("has an entry that cannot be read, or is too large");
        auto content = read_entry(archive.get(), index, facts.size);
        if (!content) return corrupt(content.error().what);
        made[facts.name] = std::move(*content);
    }
    return made;
}

Outcome<std::string> zip(const std::vector<std::pair<std::string, std::string>>& entries) {
    zip_error_t error;
    zip_error_init(&error);
    const std::unique_ptr<zip_source_t, Closer> source{
        zip_source_buffer_create(nullptr, 0, 0, &error)
    };
    if (!source) return fault_of("begin", zip_error_strerror(&error));
    std::unique_ptr<zip_t, Closer> archive{zip_open_from_source(source.get(), ZIP_TRUNCATE, &error)
    };
    if (!archive) return fault_of("begin", zip_error_strerror(&error));
    zip_source_keep(source.get());  // the archive has taken one reference, and frees it
    for (const auto& [name, bytes] : entries)
        if (auto done = add(archive.get(), name, bytes); !done)
            return std::unexpected(done.error());
    if (zip_close(archive.get()) != 0) return fault_of("write", zip_strerror(archive.get()));
    static_cast<void>(archive.release());
    return read_back(source.get());
}

}  // namespace stator::package
