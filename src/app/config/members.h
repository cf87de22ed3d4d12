// Members reads a table of stator.toml, each key asked for once. The first that is wrong, or that
// nobody asked for, is told by finish() with file and line.
#pragma once

#include "shared/base/fixed.h"
#include "world/outcome/outcome.h"
#include "world/settings/read_toml.h"

#include <concepts>
#include <cstdint>
#include <limits>
#include <set>
#include <string>

namespace stator::config {

class Members {
  public:
    // `what` the table is about: "asset pump-1".
    Members(const toml::table& table, std::string file, std::string what)
        : table_{table}, file_{std::move(file)}, what_{std::move(what)} {}

    // Null where it is left out.
    [[nodiscard]] const toml::node* find(const std::string& key);

    template <std::size_t bytes_max>
    void text(const std::string& key, base::FixedString<bytes_max>& into) {
        std::string value{into.view()};
        text(key, value);
        if (!into.assign(value))
            wrong(key, "is longer than " + std::to_string(bytes_max) + " bytes");
    }

    void text(const std::string& key, std::string& into);
    void number(const std::string& key, float& into, float least = -1e30F, float most = 1e30F);

    template <std::unsigned_integral T>
    void whole(
        const std::string& key, T& into, T least = 0, T most = std::numeric_limits<T>::max()
    ) {
        std::int64_t value = into;
        whole_number(key, value, least, most);
        into = static_cast<T>(value);
    }

    void wrong(const std::string& key, const std::string& why);

    [[nodiscard]] bool fine() const { return error_.empty(); }

    void rename(std::string what) { what_ = std::move(what); }

    [[nodiscard]] Outcome<void> finish();

  private:
    void whole_number(
        const std::string& key, std::int64_t& into, std::int64_t least, std::int64_t most
    );

    const toml::table& table_;
    std::string file_;
    std::string what_;
    std::set<std::string, std::less<>> asked_;
    std::string error_;  // the first
};

}  // namespace stator::config
