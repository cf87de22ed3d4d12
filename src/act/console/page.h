// The Page hands out the built web page: the files below one folder, read once, and nothing else.
#pragma once

#include "world/disk/disk.h"
#include "world/http/http.h"

#include <map>
#include <string>

namespace stator::console {

class Page {
  public:
    // Reads every file below `folder` (some hundred kilobytes). A missing folder is an Error that
    // says how the page is built.
    [[nodiscard]] static Outcome<Page> load(disk::Disk& disk, const std::string& folder);

    // None, and why: each get() says so (503).
    [[nodiscard]] static Page none(std::string why);

    [[nodiscard]] http::Response get(const std::string& path) const;

  private:
    struct Asset {
        std::string content;
        std::string type;
    };

    std::map<std::string, Asset> assets_;  // by path, "/assets/x.js"
    std::string why_none_;
};

}  // namespace stator::console
