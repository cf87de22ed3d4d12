// Registry keeps models: uploads, what they are for, which is promoted; and it alone signs.
//
// A quantised model has a manifest beside it: first the maker's draft, unsigned; promote() sets the
// release number (rises per class and level), signs exactly the bytes it stores, and retires the
// one before. Before that it checks the draft against the file as every receiver will: ends, arena,
// golden sequence. A .tflite that the runtime would refuse is refused here, with the reason; so is
// a firmware image that is not signed, not whole, or not newer than those of its board.
//
//   POST /uploadModel /uploadQuantizedModel /uploadNormalizedData /uploadFirmware
//   GET  /full /quantized /normalized_training_data /OTA_bin [/NAME]
//   GET, PUT /manifest/NAME   GET /api/v1/models   POST /api/v1/models/NAME/promote
#pragma once

#include "shared/bundle/manifest.h"
#include "store/files/files.h"
#include "store/files/serve.h"
#include "store/identity/access.h"
#include "store/identity/site.h"
#include "world/doors/doors.h"

#include <memory>
#include <string>

namespace stator::models {

struct Options {
    std::string state_directory;
    // Multiplications of a whole golden sequence: nobody else is served while it runs.
    std::uint64_t golden_macs_max = std::uint64_t{1} << 30U;
};

class Registry {
  public:
    [[nodiscard]] static Outcome<std::unique_ptr<Registry>> make(
        doors::Doors& doors, identity::Access& access, Options options
    );

    // Is the path one of this registry's?
    [[nodiscard]] static bool knows(std::string_view path);
    [[nodiscard]] http::Response handle(const http::Request& request);

    // The signed envelope's text.
    [[nodiscard]] Outcome<std::string> promote(const std::string& name);

  private:
    Registry(
        doors::Doors& doors,
        identity::Access& access,
        Options options,
        std::unique_ptr<files::Files> files
    );

    [[nodiscard]] http::Response manifest(const http::Request& request, const std::string& name);
    [[nodiscard]] http::Response put_manifest(
        const http::Request& request, const std::string& name
    );
    [[nodiscard]] http::Response list_models(const http::Request& request);
    [[nodiscard]] http::Response promote_model(const http::Request& request);
    [[nodiscard]] Outcome<void> check_firmware(const http::Part& part);
    [[nodiscard]] Outcome<bundle::Manifest> draft_of(const std::string& name, std::string& draft);

    doors::Doors& doors_;
    Options options_;
    std::unique_ptr<files::Files> files_;
    files::Serve serve_;
};

}  // namespace stator::models
