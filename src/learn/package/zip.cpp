#include "learn/package/package.h"

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

}  // namespace

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
