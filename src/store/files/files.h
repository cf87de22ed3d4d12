// Files keeps named bytes: the facts in SQLite, the bytes in files named by their SHA-256.
//
// put() returns when both survive a power cut, bytes first. A name is one path component of
// letters, digits and ".:_-", not beginning with '.'; what has a name keeps its bytes: the same
// bytes again are fine, others are Fault::exists. Bytes that no name has (a kill between the two)
// are overwritten by themselves and harm nobody.
#pragma once

#include "world/doors/doors.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stator::files {

struct File {
    std::string name;
    std::string sha256;  // hex
    std::uint64_t size_bytes = 0;
    std::int64_t created_unix_ms = 0;
};

inline constexpr std::size_t name_bytes_max = 128;
inline constexpr std::size_t file_bytes_max = 64U << 20U;

[[nodiscard]] bool is_name(std::string_view name);

class Files {
  public:
    // `directory`: <state>/models or <state>/datasets.
    [[nodiscard]] static Outcome<std::unique_ptr<Files>> open(
        doors::Doors& doors, const std::string& directory, std::string_view more_schema = {}
    );

    [[nodiscard]] Outcome<File> put(
        const std::string& kind, const std::string& name, const std::string& content
    );
    [[nodiscard]] Outcome<File> find(const std::string& kind, const std::string& name);
    // The bytes, checked against their hash: Fault::corrupt names the file.
    [[nodiscard]] Outcome<std::string> get(const std::string& kind, const std::string& name);
    // Oldest first.
    [[nodiscard]] Outcome<std::vector<File>> list(const std::string& kind);

    [[nodiscard]] database::Database& database() { return *database_; }

  private:
    Files(doors::Doors& doors, std::string directory)
        : doors_{doors}, directory_{std::move(directory)} {}

    [[nodiscard]] std::string path_of(const std::string& sha256) const;

    doors::Doors& doors_;
    std::string directory_;
    std::unique_ptr<database::Database> database_;
};

}  // namespace stator::files
