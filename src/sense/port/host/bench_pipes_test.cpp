#include "sense/port/host/bench_pipes.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace stator::host {
namespace {

struct Machine final : hal::Adc, hal::Actuators {
    base::Result<void> read(std::size_t channel, std::span<std::uint16_t> counts) override {
        for (std::uint16_t& count : counts)
            count = static_cast<std::uint16_t>(100 * channel + 7);
        return {};
    }

    void set_valve_degrees(std::uint8_t degrees) override { valve = degrees; }

    void set_backup_pump(bool on) override { pump = on; }

    base::Result<float> backup_flow_l_per_min() override { return 12.5F; }

    int valve = -1;
    bool pump = false;
};

// The board's side of the pipes, as the emulator opens them.
struct Board {
    explicit Board(const std::filesystem::path& folder)
        : ask{::open((folder / "bench.ask").c_str(), O_RDWR | O_CLOEXEC)},
          answer{::open((folder / "bench.answer").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)} {}

    ~Board() {
        ::close(ask);
        ::close(answer);
    }

    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    void say(const std::string& question) const {
        ASSERT_EQ(::write(ask, question.data(), question.size()), 4);
    }

    [[nodiscard]] std::string hear() const {
        std::string all(1U << 17U, '\0');
        const auto got = ::read(answer, all.data(), all.size());
        all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return all;
    }

    int ask;
    int answer;
};

class BenchPipesTest : public testing::Test {
  protected:
    BenchPipesTest() {
        std::string name = (std::filesystem::temp_directory_path() / "stator-bench-XXXXXX");
        folder = ::mkdtemp(name.data());
        auto made = BenchPipes::make(folder.string(), machine, machine);
        EXPECT_TRUE(made);
        bench = *std::move(made);
    }

    ~BenchPipesTest() override { std::filesystem::remove_all(folder); }

    BenchPipesTest(const BenchPipesTest&) = delete;
    BenchPipesTest& operator=(const BenchPipesTest&) = delete;

    void serve() {
        while (true) {
            const auto done = bench->step();
            ASSERT_TRUE(done) << done.error().what;
            if (!*done) return;
        }
    }

    std::filesystem::path folder;
    Machine machine;
    std::unique_ptr<BenchPipes> bench;
};

TEST_F(BenchPipesTest, ItAnswersWithCountsAndFlowAndMovesTheOutputs) {
    const Board board{folder};
    board.say(std::string{"r\2\3\0", 4});
    serve();
    EXPECT_EQ(board.hear(), std::string("\xCF\0\xCF\0\xCF\0", 6));
    board.say(std::string{"a\3\2\0", 4});
    serve();
    EXPECT_EQ(board.hear(), std::string("\7\0\7\0\x6B\0\x6B\0\xCF\0\xCF\0", 12));
    board.say(std::string{"f\0\0\0", 4});
    serve();
    float flow = 0.0F;
    const std::string answer = board.hear();
    ASSERT_EQ(answer.size(), sizeof flow);
    std::memcpy(&flow, answer.data(), sizeof flow);
    EXPECT_EQ(flow, 12.5F);
    board.say(std::string{"v\x5A\0\0", 4});
    board.say(std::string{"p\1\0\0", 4});
    serve();
    EXPECT_EQ(machine.valve, 90);
    EXPECT_TRUE(machine.pump);
}

// A pipe holds 25 frames: a bench that kept the answers of dead boards stood still after as many.
TEST_F(BenchPipesTest, BoardsThatDieInTheMiddleOfAQuestionDoNotSpoilTheNextOnesAnswers) {
    for (int board_number = 0; board_number < 100; ++board_number) {
        const Board board{folder};
        const std::string start{'s', static_cast<char>(board_number), 'x', 'y'};
        board.say(start);
        serve();
        const std::string heard = board.hear();
        ASSERT_TRUE(heard.ends_with("STAT" + start)) << board_number;
        board.say(std::string{"r\1\x1E\5", 4});  // 1310 samples, and its power goes
        serve();
    }
}

}  // namespace
}  // namespace stator::host
