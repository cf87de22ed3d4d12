// Registry is the training datastore: raw CSVs, as ingest sends them.
//
//   POST /upload   GET /NAME   GET / (the listing)
#pragma once

#include "store/files/files.h"
#include "store/files/serve.h"
#include "store/identity/access.h"
#include "world/doors/doors.h"

#include <memory>
#include <string>

namespace stator::datasets {

class Registry {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Registry>> make(
        doors::Doors& doors, identity::Access& access, const std::string& state_directory
    );

    [[nodiscard]] http::Response handle(const http::Request& request);

  private:
    Registry(std::unique_ptr<files::Files> files, identity::Access& access)
        : files_{std::move(files)}, serve_{*files_, access} {}

    std::unique_ptr<files::Files> files_;
    files::Serve serve_;
};

}  // namespace stator::datasets
