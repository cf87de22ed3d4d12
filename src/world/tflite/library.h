// A Library is a shared library with TensorFlow Lite's classic C API, opened by dlopen.
//
// No header of TensorFlow is needed to build: about twenty functions whose signatures have not
// changed since 2.4. Any libtensorflowlite_c.so serves. A delegate is a second library with the
// interface of external delegates (tflite_plugin_create_delegate, tflite_plugin_destroy_delegate),
// as Coral's libedgetpu has it. One thread; what TensorFlow says goes into the Error.
//
// A library is code that runs with our rights: its path comes from the site's own configuration.
#pragma once

#include "world/tflite/engine.h"

#include <memory>
#include <string>
#include <string_view>

namespace stator::tflite {

inline constexpr std::size_t scalars_max = std::size_t{1} << 24U;  // of one end

class Library final : public Engines {
  public:
    // Opens both libraries, finds every function, and makes the delegate once for a trial, so that
    // a start fails rather than the first model. The Error names the file, and the function that
    // it lacks.
    [[nodiscard]] static Outcome<std::unique_ptr<Library>> open(Choice choice);
    ~Library() override;

    // The file's bytes are copied; the Engine may outlive the Library.
    [[nodiscard]] Outcome<std::unique_ptr<Engine>> load(std::string_view file) override;

    [[nodiscard]] std::string version() const;  // "2.18.0"

  private:
    struct Calls;
    struct Plugin;
    class Loaded;

    explicit Library(Choice choice);

    Choice choice_;
    std::shared_ptr<const Calls> calls_;
    std::shared_ptr<const Plugin> plugin_;  // null: no delegate
};

}  // namespace stator::tflite
