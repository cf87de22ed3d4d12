// tinyml_bench MODEL LIBRARY: tinyml beside the classic TensorFlow Lite C API, one thread, in
// turns.
//
// MODEL has int8 ends. LIBRARY is opened by dlopen (Maven's org.bytedeco:tensorflow-lite carries
// one: libjnitensorflowlite.so) and runs its XNNPACK delegate. A call sets
// the input, runs and reads the output; times are CPU time, the best of the turns.
#include "shared/tinyml/batch.h"
#include "shared/tinyml/tile.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace stator::tinyml;

constexpr int turns = 9;
constexpr std::size_t rows_a_turn = 65'536;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Peer {
    explicit Peer(void* library) : library_{library} {}

    template <typename Result, typename... Arguments>
    Result call(const char* name, Arguments... arguments) {
        void* at = dlsym(library_, name);
        if (at == nullptr) std::fprintf(stderr, "the library has no %s\n", name);
        return reinterpret_cast<Result (*)(Arguments...)>(at)(arguments...);
    }

    bool open(const char* model, int batch, int width) {
        void* file = call<void*>("TfLiteModelCreateFromFile", model);
        void* options = call<void*>("TfLiteInterpreterOptionsCreate");
        call<void>("TfLiteInterpreterOptionsSetNumThreads", options, 1);
        // As its header of 2.18 has it: threads, flags, and more that stays zero. The library's own
        // default leaves int8 (flags 1 and 2) to TensorFlow Lite's older kernels, 40 times slower.
        alignas(8) std::array<std::uint32_t, 64> how{};
        call<void*>("TfLiteXNNPackDelegateOptionsDefault", how.data());
        how[1] |= 3U;
        void* xnnpack = call<void*>("TfLiteXNNPackDelegateCreate", how.data());
        call<void>("TfLiteInterpreterOptionsAddDelegate", options, xnnpack);
        interpreter_ = call<void*>("TfLiteInterpreterCreate", file, options);
        const int dims[] = {batch, width};
        if (batch > 1)
            call<int>("TfLiteInterpreterResizeInputTensor", interpreter_, 0, &dims[0], 2);
        if (call<int>("TfLiteInterpreterAllocateTensors", interpreter_) != 0) return false;
        input_ = call<void*>("TfLiteInterpreterGetInputTensor", interpreter_, 0);
        output_ = call<void*>("TfLiteInterpreterGetOutputTensor", interpreter_, 0);
        from_ = dlsym(library_, "TfLiteTensorCopyFromBuffer");
        invoke_ = dlsym(library_, "TfLiteInterpreterInvoke");
        to_ = dlsym(library_, "TfLiteTensorCopyToBuffer");
        return true;
    }

    void run(const std::int8_t* in, std::size_t in_bytes, std::int8_t* out, std::size_t out_bytes) {
        using Copy = int (*)(void*, const void*, std::size_t);
        using Give = int (*)(void*, void*, std::size_t);
        reinterpret_cast<Copy>(from_)(input_, in, in_bytes);
        reinterpret_cast<int (*)(void*)>(invoke_)(interpreter_);
        reinterpret_cast<Give>(to_)(output_, out, out_bytes);
    }

  private:
    void* library_;
    void* interpreter_ = nullptr;
    void* input_ = nullptr;
    void* output_ = nullptr;
    void* from_ = nullptr;
    void* invoke_ = nullptr;
    void* to_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: tinyml_bench MODEL LIBRARY\n");
        return 2;
    }
    std::ifstream in{argv[1], std::ios::binary};
    const std::string tflite{std::istreambuf_iterator<char>{in}, {}};
    const auto file = std::as_bytes(std::span{tflite});
    Reason reason;
    const auto needs = check(file, reason);
    void* library = dlopen(argv[2], RTLD_NOW);
    if (!needs || library == nullptr || needs->input_type != Type::int8) {
        std::fprintf(stderr, "%s and %s do not both load\n", argv[1], argv[2]);
        return 1;
    }
    std::vector<std::byte> arena(needs->arena_bytes);
    auto model = Model::load(file, arena, reason, Rounding::single);
    if (!model) return 1;
    std::vector<std::byte> room(Batch::room_bytes(*model));
    Batch tiles{*model, room};
    std::printf("tiles: %s\n", room.empty() ? "none" : tile_kernel()->name);
    const std::size_t width = needs->input_count;
    const std::size_t height = needs->output_count;
    std::mt19937 chance{1};
    std::vector<std::int8_t> rows(rows_a_turn * width);
    for (std::int8_t& value : rows)
        value = static_cast<std::int8_t>(chance());
    std::vector<std::int8_t> ours(rows_a_turn * height);
    std::vector<std::int8_t> theirs(ours.size());
    for (const std::size_t batch : {std::size_t{1}, std::size_t{64}, std::size_t{1024}}) {
        Peer peer{library};
        if (!peer.open(argv[1], static_cast<int>(batch), static_cast<int>(width))) return 1;
        double best_ours = std::numeric_limits<double>::max();
        double best_theirs = best_ours;
        for (int turn = 0; turn < turns; ++turn) {
            const double start = cpu_seconds();
            for (std::size_t i = 0; i < rows_a_turn; i += batch) {
                tiles.invoke_raw(
                    std::span{rows}.subspan(i * width, batch * width),
                    std::span{ours}.subspan(i * height, batch * height)
                );
            }
            const double middle = cpu_seconds();
            for (std::size_t i = 0; i < rows_a_turn; i += batch) {
                peer.run(&rows[i * width], batch * width, &theirs[i * height], batch * height);
            }
            best_ours = std::min(best_ours, middle - start);
            best_theirs = std::min(best_theirs, cpu_seconds() - middle);
        }
        std::size_t differ = 0;
        for (std::size_t i = 0; i < ours.size(); ++i)
            differ += ours[i] != theirs[i] ? 1 : 0;
        const auto count = static_cast<double>(rows_a_turn);
        std::printf(
            "batch %zu: tinyml %.0f ns a row, TensorFlow Lite %.0f ns, ratio %.2f; %zu of %zu "
            "values differ\n",
            batch,
            best_ours / count * 1e9,
            best_theirs / count * 1e9,
            best_theirs / best_ours,
            differ,
            ours.size()
        );
    }
    return 0;
}
