// A delegate for tests, with the interface of external delegates: it takes each LOGISTIC of int8 or
// float32 and reckons it by itself.
//
// Options: refuse=create (no delegate is made), refuse=prepare (it refuses the model), fail=N (the
// N-th run fails), answer=X (every output is X: what comes out shows who reckoned). The layouts are
// those of TensorFlow Lite 2.x on a 64-bit machine, as far as they are used here.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int ok = 0;
constexpr int error = 1;
constexpr int type_float32 = 1;
constexpr int type_int8 = 9;
constexpr std::int32_t op_logistic = 14;
constexpr std::int32_t op_delegate = 51;

struct Numbers {
    int size;
    int data[1];
};

struct Tensor {
    int type;
    void* data;
    Numbers* dims;
    float scale;
    std::int32_t zero_point;
    int allocation;
    std::size_t bytes;
    const void* place;
    const char* name;
    void* delegate;
    int handle;
    bool stale;
    bool variable;
    int quantisation_type;
    void* quantisation;
    void* sparsity;
    const void* signature;
};

static_assert(sizeof(Tensor) == 112);

struct Node {
    Numbers* inputs;
    Numbers* outputs;
    Numbers* intermediates;
    Numbers* temporaries;
    void* own;
};

struct Context;
struct Delegate;

struct Registration {
    void* (*init)(Context*, const char*, std::size_t) = nullptr;
    void (*free)(Context*, void*) = nullptr;
    int (*prepare)(Context*, Node*) = nullptr;
    int (*invoke)(Context*, Node*) = nullptr;
    const char* (*profile)(const Context*, const Node*) = nullptr;
    std::int32_t builtin_code = 0;
    const char* custom_name = nullptr;
    int version = 1;
    void* outside = nullptr;
    void* (*asynchronous)(Context*, Node*) = nullptr;
    std::uint64_t in_place = 0;
};

struct Context {
    std::size_t tensors_size;
    int (*plan)(Context*, Numbers**);
    Tensor* tensors;
    void* own;
    int (*resize)(Context*, Tensor*, Numbers*);
    void (*report)(Context*, const char*, ...);
    int (*add_tensors)(Context*, int, int*);
    int (*node)(Context*, int, Node**, Registration**);
    int (*replace)(Context*, Registration, const Numbers*, Delegate*);
};

struct Delegate {
    void* data = nullptr;
    int (*prepare)(Context*, Delegate*) = nullptr;
    void* copy_from = nullptr;
    void* copy_to = nullptr;
    void* free_handle = nullptr;
    std::int64_t flags = 0;
    void* builder = nullptr;
};

struct Settings {
    Delegate delegate;
    std::string refuse;
    long fail_at = 0;
    long runs = 0;
    std::optional<float> answer;
};

// What a kernel's init is given.
struct Parameters {
    Delegate* delegate;
};

void* begin(Context*, const char* parameters, std::size_t) {
    return reinterpret_cast<const Parameters*>(parameters)->delegate->data;
}

int ready(Context*, Node*) {
    return ok;
}

int run(Context* context, Node* node) {
    auto& settings = *static_cast<Settings*>(node->own);
    if (++settings.runs == settings.fail_at) {
        context->report(context, "the test delegate fails as it was told");
        return error;
    }
    const Tensor& in = context->tensors[node->inputs->data[0]];
    const Tensor& out = context->tensors[node->outputs->data[0]];
    const bool steps = in.type == type_int8;
    const std::size_t count = steps ? in.bytes : in.bytes / sizeof(float);
    for (std::size_t i = 0; i < count; ++i) {
        const float x =
            steps ? in.scale * static_cast<float>(
                                   static_cast<const std::int8_t*>(in.data)[i] - in.zero_point
                               )
                  : static_cast<const float*>(in.data)[i];
        const float y = settings.answer.value_or(1.0F / (1.0F + std::exp(-x)));
        if (steps) {
            const float step = std::round(y / out.scale) + static_cast<float>(out.zero_point);
            static_cast<std::int8_t*>(out.data)[i] =
                static_cast<std::int8_t>(std::clamp(step, -128.0F, 127.0F));
        } else {
            static_cast<float*>(out.data)[i] = y;
        }
    }
    return ok;
}

int take_nodes(Context* context, Delegate* delegate) {
    if (static_cast<Settings*>(delegate->data)->refuse == "prepare") {
        context->report(context, "the test delegate takes no model, as it was told");
        return error;
    }
    Numbers* plan = nullptr;
    if (context->plan(context, &plan) != ok) return error;
    std::vector<int> mine{0};
    for (int i = 0; i < plan->size; ++i) {
        Node* node = nullptr;
        Registration* registration = nullptr;
        if (context->node(context, plan->data[i], &node, &registration) != ok) return error;
        const int type = context->tensors[node->inputs->data[0]].type;
        if (registration->builtin_code == op_logistic &&
            (type == type_int8 || type == type_float32)) {
            mine.push_back(plan->data[i]);
            ++mine.front();
        }
    }
    Registration kernel;
    kernel.init = &begin;
    kernel.prepare = &ready;
    kernel.invoke = &run;
    kernel.builtin_code = op_delegate;
    kernel.custom_name = "StatorTestDelegate";
    return context->replace(
        context, kernel, reinterpret_cast<const Numbers*>(mine.data()), delegate
    );
}

}  // namespace

extern "C" __attribute__((visibility("default"))) Delegate* tflite_plugin_create_delegate(
    char** keys, char** values, std::size_t count, void (*report)(const char*)
) {
    auto* settings = new Settings;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view key{keys[i]};
        if (key == "refuse") settings->refuse = values[i];
        if (key == "fail") settings->fail_at = std::strtol(values[i], nullptr, 10);
        if (key == "answer") settings->answer = std::strtof(values[i], nullptr);
    }
    if (settings->refuse == "create") {
        report("no accelerator is plugged in, as the test wants it");
        delete settings;
        return nullptr;
    }
    settings->delegate.data = settings;
    settings->delegate.prepare = &take_nodes;
    return &settings->delegate;
}

extern "C" __attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(
    Delegate* delegate
) {
    if (delegate != nullptr) delete static_cast<Settings*>(delegate->data);
}
