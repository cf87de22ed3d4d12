#include "store/datasets/registry.h"

namespace stator::datasets {

namespace {
constexpr const char* kind = "raw";
}

Outcome<std::unique_ptr<Registry>> Registry::make(
    doors::Doors& doors, identity::Access& access, const std::string& state_directory
) {
    auto files = files::Files::open(doors, state_directory + "/datasets");
    if (!files) return std::unexpected(files.error());
    return std::unique_ptr<Registry>{new Registry{std::move(*files), access}};
}

http::Response Registry::handle(const http::Request& request) {
    if (request.path == "/upload") return serve_.upload(request, kind);
    if (request.path == "/") return serve_.list(request, kind, "");
    return serve_.get(request, kind, request.path.substr(1));
}

}  // namespace stator::datasets
