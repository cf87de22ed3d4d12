#include "world/process/real.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

namespace stator::process {
namespace {

bool comes_true(const std::function<bool()>& condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
}

class ProcessTest : public testing::Test {
  protected:
    ProcessTest() {
        std::string name =
            (std::filesystem::temp_directory_path() / "stator-process-XXXXXX").string();
        directory = mkdtemp(name.data());
    }

    ~ProcessTest() override { std::filesystem::remove_all(directory); }

    std::unique_ptr<Child> shell(const std::string& script, bool notify = false) {
        auto child = processes.start(
            {.name = "shell",
             .arguments = {"/bin/sh", "-c", script},
             .environment = {{"THING", "seven"}},
             .log_file = log(),
             .notify = notify}
        );
        EXPECT_TRUE(child) << child.error().what;
        return child ? std::move(*child) : nullptr;
    }

    std::string log() const { return directory / "log"; }

    std::string logged() const {
        std::ifstream in{log()};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    RealProcesses processes;
    std::filesystem::path directory;
};

TEST_F(ProcessTest, AChildHasItsEnvironmentItsLogAndItsExitCode) {
    for (int i = 0; i < 2; ++i) {
        const auto child = shell("echo out $THING; echo err >&2; exit 3");
        EXPECT_TRUE(child->ready());
        ASSERT_TRUE(comes_true([&] { return child->exited().has_value(); }));
        EXPECT_EQ(child->exited(), 3);
        EXPECT_EQ(child->resident_bytes(), 0U);
    }
    EXPECT_EQ(logged(), "out seven\nerr\nout seven\nerr\n") << "appended";
}

TEST_F(ProcessTest, AProgramThatCannotRunIsAnErrorThatNamesIt) {
    const auto child = processes.start({.name = "x", .arguments = {"/none/such"}});
    ASSERT_FALSE(child);
    EXPECT_NE(child.error().what.find("/none/such"), std::string::npos) << child.error().what;
}

TEST_F(ProcessTest, TerminateAndKillEndAChildWithTheirSignal) {
    const auto polite = shell("exec sleep 100");
    EXPECT_GT(polite->resident_bytes(), 0U);
    ASSERT_TRUE(comes_true([&] {
        polite->terminate();
        return polite->exited().has_value();
    }));
    EXPECT_EQ(polite->exited(), 128 + SIGTERM);
    const auto stubborn = shell("trap '' TERM; while :; do sleep 1; done");
    stubborn->kill();
    ASSERT_TRUE(comes_true([&] { return stubborn->exited().has_value(); }));
    EXPECT_EQ(stubborn->exited(), 128 + SIGKILL);
}

TEST_F(ProcessTest, IsReadyWhenItSaysSo) {
    const auto child = shell(
        "while [ ! -e '" + (directory / "go").string() +
            "' ]; do sleep 0.01; done; python3 -c \"import os,socket; "
            "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); "
            "s.sendto(b'STATUS=up\\nREADY=1',chr(0)+os.environ['NOTIFY_SOCKET'][1:])\"; sleep 100",
        true
    );
    EXPECT_FALSE(child->ready());
    std::ofstream{directory / "go"} << "";
    EXPECT_TRUE(comes_true([&] { return child->ready(); })) << logged();
}

TEST_F(ProcessTest, AChildDiesWithTheOneWhoStartedIt) {
    const int starter = fork();
    if (starter == 0) {
        const auto child = processes.start(
            {.name = "sleeper",
             .arguments = {"/bin/sh", "-c", "echo $$; exec sleep 100"},
             .log_file = log()}
        );
        while (true)
            pause();
    }
    ASSERT_TRUE(comes_true([&] { return logged().ends_with('\n'); }));
    const int sleeper = std::stoi(logged());
    EXPECT_EQ(::kill(sleeper, 0), 0);
    ::kill(starter, SIGKILL);
    EXPECT_TRUE(comes_true([&] {
        // Gone, or a zombie that nobody has waited for yet.
        std::ifstream in{"/proc/" + std::to_string(sleeper) + "/stat"};
        std::string stat;
        return !std::getline(in, stat) || stat.find(") Z") != std::string::npos;
    }));
}

}  // namespace
}  // namespace stator::process
