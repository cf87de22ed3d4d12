#include "world/tflite/library.h"

#include "shared/tinyml/steps.h"

#include <fmt/format.h>

#include <dlfcn.h>

#include <array>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

namespace stator::tflite {

namespace {

// TensorFlow's own types, of which we only ever hold addresses.
struct TfModel;
struct TfOptions;
struct TfInterpreter;
struct TfTensor;
struct TfDelegate;

struct TfQuantisation {
    float scale;
    std::int32_t zero_point;
};

constexpr int tf_ok = 0;
constexpr int tf_float32 = 1;
constexpr int tf_int8 = 9;

using Report = void (*)(void*, const char*, std::va_list);

// RTLD_NODELETE: such libraries start threads and keep thread-local data; taking their code away is
// not worth it. They stay until the process ends.
Outcome<void*> open_library(const std::string& path, const char* what) {
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle != nullptr) return handle;
    const char* const why = dlerror();
    return fail(
        base::Fault::not_found,
        fmt::format("{} {} cannot be opened: {}", what, path, why != nullptr ? why : "no reason")
    );
}

// Finds functions, and remembers the first that is missing.
struct Finder {
    void* handle = nullptr;
    const char* missing = nullptr;

    template <typename Function>
    void operator()(const char* name, Function& into) {
        into = reinterpret_cast<Function>(dlsym(handle, name));
        if (into == nullptr && missing == nullptr) missing = name;
    }
};

// What TensorFlow said since it was last asked.
struct Words {
    std::string text;

    static void hear(void* self, const char* format, std::va_list arguments) {
        std::array<char, 512> line{};
        const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
        if (length > 0) static_cast<Words*>(self)->add(line.data());
    }

    void add(std::string_view line) {
        constexpr std::size_t bytes_max = 600;
        if (text.size() > bytes_max) return;
        if (!text.empty()) text += "; ";
        while (line.ends_with('\n'))
            line.remove_suffix(1);
        text += line;
    }

    [[nodiscard]] std::string taken() {
        return text.empty() ? std::string{"it did not say why"} : std::exchange(text, {});
    }
};

// A delegate's library hands its words to a function without saying to whom they belong.
thread_local Words* delegate_words = nullptr;

void hear_delegate(const char* line) {
    if (delegate_words != nullptr && line != nullptr) delegate_words->add(line);
}

}  // namespace

struct Library::Calls {
    const char* (*version)() = nullptr;
    TfModel* (*model_create)(const void*, std::size_t) = nullptr;
    void (*model_delete)(TfModel*) = nullptr;
    TfOptions* (*options_create)() = nullptr;
    void (*options_delete)(TfOptions*) = nullptr;
    void (*set_threads)(TfOptions*, std::int32_t) = nullptr;
    void (*set_reporter)(TfOptions*, Report, void*) = nullptr;
    void (*add_delegate)(TfOptions*, TfDelegate*) = nullptr;
    TfInterpreter* (*create)(const TfModel*, const TfOptions*) = nullptr;
    void (*destroy)(TfInterpreter*) = nullptr;
    int (*allocate)(TfInterpreter*) = nullptr;
    int (*invoke)(TfInterpreter*) = nullptr;
    std::int32_t (*input_count)(const TfInterpreter*) = nullptr;
    std::int32_t (*output_count)(const TfInterpreter*) = nullptr;
    TfTensor* (*input)(const TfInterpreter*, std::int32_t) = nullptr;
    const TfTensor* (*output)(const TfInterpreter*, std::int32_t) = nullptr;
    int (*type)(const TfTensor*) = nullptr;
    std::size_t (*bytes)(const TfTensor*) = nullptr;
    TfQuantisation (*quantisation)(const TfTensor*) = nullptr;
    int (*copy_in)(TfTensor*, const void*, std::size_t) = nullptr;
    int (*copy_out)(const TfTensor*, void*, std::size_t) = nullptr;

    void find(Finder& into) {
        into("TfLiteVersion", version);
        into("TfLiteModelCreate", model_create);
        into("TfLiteModelDelete", model_delete);
        into("TfLiteInterpreterOptionsCreate", options_create);
        into("TfLiteInterpreterOptionsDelete", options_delete);
        into("TfLiteInterpreterOptionsSetNumThreads", set_threads);
        into("TfLiteInterpreterOptionsSetErrorReporter", set_reporter);
        into("TfLiteInterpreterOptionsAddDelegate", add_delegate);
        into("TfLiteInterpreterCreate", create);
        into("TfLiteInterpreterDelete", destroy);
        into("TfLiteInterpreterAllocateTensors", allocate);
        into("TfLiteInterpreterInvoke", invoke);
        into("TfLiteInterpreterGetInputTensorCount", input_count);
        into("TfLiteInterpreterGetOutputTensorCount", output_count);
        into("TfLiteInterpreterGetInputTensor", input);
        into("TfLiteInterpreterGetOutputTensor", output);
        into("TfLiteTensorType", type);
        into("TfLiteTensorByteSize", bytes);
        into("TfLiteTensorQuantizationParams", quantisation);
        into("TfLiteTensorCopyFromBuffer", copy_in);
        into("TfLiteTensorCopyToBuffer", copy_out);
    }
};

struct Library::Plugin {
    TfDelegate* (*create)(char**, char**, std::size_t, void (*)(const char*)) = nullptr;
    void (*destroy)(TfDelegate*) = nullptr;
    std::string path;
    std::vector<std::pair<std::string, std::string>> options;

    [[nodiscard]] Outcome<TfDelegate*> make() const {
        auto pairs = options;  // its interface takes them as if it wanted to write
        std::vector<char*> keys;
        std::vector<char*> values;
        for (auto& [key, value] : pairs) {
            keys.push_back(key.data());
            values.push_back(value.data());
        }
        Words words;
        delegate_words = &words;
        TfDelegate* const made = create(keys.data(), values.data(), keys.size(), &hear_delegate);
        delegate_words = nullptr;
        if (made != nullptr) return made;
        return fail(
            base::Fault::again, fmt::format("the delegate {} refuses: {}", path, words.taken())
        );
    }
};

// One file in one interpreter. Torn down in the order that TensorFlow asks for.
class Library::Loaded final : public Engine {
  public:
    Loaded(std::shared_ptr<const Calls> calls, std::shared_ptr<const Plugin> plugin)
        : calls_{std::move(calls)}, plugin_{std::move(plugin)} {}

    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;

    ~Loaded() override {
        if (interpreter_ != nullptr) calls_->destroy(interpreter_);
        if (delegate_ != nullptr) plugin_->destroy(delegate_);
        if (options_ != nullptr) calls_->options_delete(options_);
        if (model_ != nullptr) calls_->model_delete(model_);
    }

    Outcome<void> take(std::string_view file) {
        file_.resize((file.size() + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
        std::memcpy(file_.data(), file.data(), file.size());
        model_ = calls_->model_create(file_.data(), file.size());
        if (model_ == nullptr) return refused("it is no .tflite file that it can read");
        options_ = calls_->options_create();
        calls_->set_threads(options_, 1);
        calls_->set_reporter(options_, &Words::hear, &words_);
        if (plugin_) {
            auto made = plugin_->make();
            if (!made) return std::unexpected(made.error());
            delegate_ = *made;
            calls_->add_delegate(options_, delegate_);
        }
        interpreter_ = calls_->create(model_, options_);
        if (interpreter_ == nullptr || calls_->allocate(interpreter_) != tf_ok) {
            const std::string why = words_.taken();
            if (!plugin_) return refused(why);
            return fail(
                base::Fault::again,
                fmt::format("with the delegate {} the model does not run: {}", plugin_->path, why)
            );
        }
        return look_at_ends();
    }

    [[nodiscard]] const Ends& ends() const override { return ends_; }

    Outcome<void> invoke(std::span<const float> input, std::span<float> output) override {
        assert(input.size() == ends_.input_count && output.size() == ends_.output_count);
        const void* in = input.data();
        if (ends_.input_type == tinyml::Type::int8) {
            for (std::size_t i = 0; i < input.size(); ++i)
                steps_in_[i] = tinyml::step_of(input[i], in_.scale, in_.zero_point);
            in = steps_in_.data();
        }
        const bool steps = ends_.output_type == tinyml::Type::int8;
        if (auto done = run(in, steps ? static_cast<void*>(steps_out_.data()) : output.data());
            !done)
            return done;
        for (std::size_t i = 0; steps && i < output.size(); ++i)
            output[i] = tinyml::real_of(steps_out_[i], out_.scale, out_.zero_point);
        return {};
    }

    Outcome<void> invoke_raw(std::span<const std::int8_t> input, std::span<std::int8_t> output)
        override {
        assert(input.size() == ends_.input_count && output.size() == ends_.output_count);
        assert(ends_.input_type == tinyml::Type::int8 && ends_.output_type == tinyml::Type::int8);
        return run(input.data(), output.data());
    }

  private:
    static std::unexpected<Error> refused(const std::string& why) {
        return fail(base::Fault::bad_input, "TensorFlow Lite does not take the model: " + why);
    }

    Outcome<void> look_at_ends() {
        if (calls_->input_count(interpreter_) != 1 || calls_->output_count(interpreter_) != 1)
            return refused("it has not one input and one output");
        tensor_in_ = calls_->input(interpreter_, 0);
        tensor_out_ = calls_->output(interpreter_, 0);
        if (!look_at(tensor_in_, ends_.input_count, ends_.input_type, in_, in_bytes_) ||
            !look_at(tensor_out_, ends_.output_count, ends_.output_type, out_, out_bytes_))
            return refused("its ends are neither float32 nor int8");
        steps_in_.resize(ends_.input_count);
        steps_out_.resize(ends_.output_count);
        return {};
    }

    bool look_at(
        const TfTensor* tensor,
        std::size_t& count,
        tinyml::Type& type,
        TfQuantisation& quantisation,
        std::size_t& bytes
    ) {
        const int kind = calls_->type(tensor);
        if (kind != tf_float32 && kind != tf_int8) return false;
        type = kind == tf_int8 ? tinyml::Type::int8 : tinyml::Type::float32;
        bytes = calls_->bytes(tensor);
        count = kind == tf_int8 ? bytes : bytes / sizeof(float);
        quantisation = calls_->quantisation(tensor);
        return count > 0 && count <= scalars_max &&
               (kind == tf_float32 || quantisation.scale > 0.0F);
    }

    Outcome<void> run(const void* in, void* out) {
        if (calls_->copy_in(tensor_in_, in, in_bytes_) == tf_ok &&
            calls_->invoke(interpreter_) == tf_ok &&
            calls_->copy_out(tensor_out_, out, out_bytes_) == tf_ok)
            return {};
        return fail(base::Fault::io, "TensorFlow Lite failed in a run: " + words_.taken());
    }

    std::shared_ptr<const Calls> calls_;
    std::shared_ptr<const Plugin> plugin_;
    Words words_;
    std::vector<std::max_align_t> file_;
    TfModel* model_ = nullptr;
    TfOptions* options_ = nullptr;
    TfDelegate* delegate_ = nullptr;
    TfInterpreter* interpreter_ = nullptr;
    TfTensor* tensor_in_ = nullptr;
    const TfTensor* tensor_out_ = nullptr;
    Ends ends_;
    TfQuantisation in_{};
    TfQuantisation out_{};
    std::size_t in_bytes_ = 0;
    std::size_t out_bytes_ = 0;
    std::vector<std::int8_t> steps_in_;
    std::vector<std::int8_t> steps_out_;
};

Library::Library(Choice choice) : choice_{std::move(choice)} {}

Library::~Library() = default;

Outcome<std::unique_ptr<Library>> Library::open(Choice choice) {
    std::unique_ptr<Library> made{new Library{std::move(choice)}};
    const auto lacks = [](const std::string& path, const char* name, const char* what) {
        return fail(
            base::Fault::bad_input,
            fmt::format("{} has no function {}: it is no {}", path, name, what)
        );
    };
    auto handle = open_library(made->choice_.library, "the engine's library");
    if (!handle) return std::unexpected(handle.error());
    auto calls = std::make_shared<Calls>();
    Finder finder{*handle};
    calls->find(finder);
    if (finder.missing != nullptr)
        return lacks(made->choice_.library, finder.missing, "TensorFlow Lite with its C API");
    made->calls_ = std::move(calls);
    if (made->choice_.delegate.empty()) return made;
    auto plugin = std::make_shared<Plugin>();
    plugin->path = made->choice_.delegate;
    plugin->options = made->choice_.delegate_options;
    auto delegate = open_library(plugin->path, "the delegate's library");
    if (!delegate) return std::unexpected(delegate.error());
    finder = {*delegate};
    finder("tflite_plugin_create_delegate", plugin->create);
    finder("tflite_plugin_destroy_delegate", plugin->destroy);
    if (finder.missing != nullptr) return lacks(plugin->path, finder.missing, "external delegate");
    auto trial = plugin->make();
    if (!trial) return std::unexpected(trial.error());
    plugin->destroy(*trial);
    made->plugin_ = std::move(plugin);
    return made;
}

Outcome<std::unique_ptr<Engine>> Library::load(std::string_view file) {
    auto made = std::make_unique<Loaded>(calls_, plugin_);
    if (auto done = made->take(file); !done) return std::unexpected(done.error());
    return made;
}

std::string Library::version() const {
    return calls_->version();
}

}  // namespace stator::tflite
