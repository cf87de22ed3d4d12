#include "sense/factory/page.h"

#include "shared/base/crc32c.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace stator::factory {
namespace {

Page example() {
    Page page;
    page.facts.asset = asset::shaded_pole_motor();
    page.facts.asset.id = "pump-1";
    page.facts.asset.device = "14333616";
    page.facts.asset.mode = asset::Mode::act;
    page.facts.asset.interlock = {
        .min_on_ms = 1,
        .min_off_ms = 2,
        .starts_per_hour = 3,
        .dead_man_ms = 4'000,
        .expiry_ms = 500
    };
    page.facts.asset.channels[1].stuck_after_s = 60;
    page.facts.host = "localhost";
    page.facts.address = {10, 0, 2, 2};
    page.facts.mqtt_port = 8883;
    page.facts.devices_port = 30006;
    page.facts.models_port = 30007;
    page.facts.unix_s_min = 1'767'225'600;
    page.facts.interval_ms = 25;
    page.facts.waveform_interval_s = 3'600;
    page.ca_pem = "the CA\n";
    page.certificate_pem = "the certificate\n";
    page.key_pem = "the key\n";
    page.model_public_pem = "the signer's\n";
    return page;
}

std::vector<std::byte> bytes_of(const Page& page) {
    std::vector<std::byte> into(page_bytes_max);
    const auto written = write_page(page, into);
    EXPECT_TRUE(written);
    into.resize(written->size());
    return into;
}

TEST(FactoryPage, of_a_level_2_board_says_whom_it_judges) {
    AssignedDevices assigned;
    ASSERT_TRUE(assigned.push_back({.device = "14333616"}));
    ASSERT_TRUE(
        assigned.push_back({.device = "9", .severity_potential = 0.4F, .severity_imminent = 0.6F})
    );
    std::vector<std::byte> bytes(page_bytes_max);
    ASSERT_TRUE(write_page(example(), bytes, assigned));
    const auto page = read_page(bytes);
    ASSERT_TRUE(page);
    const auto read = read_assigned(*page);
    ASSERT_TRUE(read);
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[0].device.view(), "14333616");
    EXPECT_EQ((*read)[0].severity_imminent, 0.8F);
    EXPECT_EQ((*read)[1].device.view(), "9");
    EXPECT_EQ((*read)[1].severity_potential, 0.4F);
    EXPECT_EQ((*read)[1].severity_imminent, 0.6F);
}

TEST(FactoryPage, of_the_reference_profile_is_one_that_an_older_program_does_not_take) {
    Page written = example();
    const auto before = bytes_of(written);
    EXPECT_NE(read_page(before)->facts_json.find(R"("format":2)"), std::string::npos);
    const asset::Asset reference = asset::reference();
    written.facts.asset.channels = reference.channels;
    written.facts.asset.features = reference.features;
    const auto bytes = bytes_of(written);
    const auto page = read_page(bytes);
    ASSERT_TRUE(page);
    EXPECT_NE(page->facts_json.find(R"("format":3)"), std::string::npos);
    for (std::size_t i = 0; i < reference.channels.size(); ++i)
        EXPECT_EQ(page->facts.asset.channels[i].sampling, reference.channels[i].sampling);
    EXPECT_EQ(
        asset::feature_set_hash(page->facts.asset), asset::feature_set_hash(written.facts.asset)
    );
}

TEST(FactoryPage, of_a_device_assigns_nobody) {
    const auto bytes = bytes_of(example());
    const auto page = read_page(bytes);
    ASSERT_TRUE(page);
    EXPECT_EQ(read_assigned(*page).error(), base::Fault::not_found);
}

TEST(FactoryPage, with_more_devices_than_a_board_judges_is_refused) {
    auto bytes = bytes_of(example());
    auto page = read_page(bytes);
    ASSERT_TRUE(page);
    std::string json = R"({"assigned":[)";
    for (std::size_t i = 0; i <= assigned_max; ++i)
        json += R"({"device":"7","severityPotential":0.5,"severityImminent":0.8},)";
    json.back() = ']';
    json += '}';
    page->facts_json = json;
    EXPECT_EQ(read_assigned(*page).error(), base::Fault::bad_input);
}

TEST(FactoryPage, says_what_was_written_into_it) {
    const Page written = example();
    auto bytes = bytes_of(written);
    bytes.resize(page_bytes_max, std::byte{0xFF});  // erased flash behind it
    const auto page = read_page(bytes);
    ASSERT_TRUE(page);
    const asset::Asset& asset = page->facts.asset;
    EXPECT_EQ(asset.device.view(), "14333616");
    EXPECT_EQ(asset.mode, asset::Mode::act);
    ASSERT_EQ(asset.channels.size(), written.facts.asset.channels.size());
    for (std::size_t i = 0; i < asset.channels.size(); ++i) {
        const asset::Channel& was = written.facts.asset.channels[i];
        EXPECT_EQ(asset.channels[i].name, was.name);
        EXPECT_EQ(asset.channels[i].sampling, was.sampling);
        EXPECT_EQ(asset.channels[i].calibration.zero_counts, was.calibration.zero_counts);
        EXPECT_EQ(asset.channels[i].calibration.unit_per_count, was.calibration.unit_per_count);
        EXPECT_EQ(asset.channels[i].plausible_max, was.plausible_max);
        EXPECT_EQ(asset.channels[i].stuck_after_s, was.stuck_after_s);
    }
    EXPECT_EQ(asset::feature_set_hash(asset), asset::feature_set_hash(written.facts.asset));
    EXPECT_EQ(asset.effect_flow_min, written.facts.asset.effect_flow_min);
    EXPECT_EQ(asset.interlock, written.facts.asset.interlock);
    EXPECT_EQ(page->facts.address, written.facts.address);
    EXPECT_EQ(page->facts.models_port, 30007);
    EXPECT_EQ(page->facts.waveform_interval_s, 3'600U);
    EXPECT_EQ(page->facts.unix_s_min, written.facts.unix_s_min);
    EXPECT_EQ(page->key_pem, "the key\n");
    EXPECT_EQ(page->key_pem.data()[page->key_pem.size()], '\0');  // mbedTLS wants it
    EXPECT_EQ(page->model_public_pem, "the signer's\n");
}

TEST(FactoryPage, says_what_the_site_calls_its_topics) {
    wire::Topics topics;
    topics.data = "plant-7/readings";
    topics.control = "plant-7/control";
    std::vector<std::byte> bytes(page_bytes_max);
    ASSERT_TRUE(write_page(example(), bytes, {}, topics));
    const auto page = read_page(bytes);
    ASSERT_TRUE(page);
    const auto read = read_topics(*page);
    EXPECT_EQ(read.data.view(), "plant-7/readings");
    EXPECT_EQ(read.control.view(), "plant-7/control");
    EXPECT_EQ(read.inference.view(), wire::Topics{}.inference.view());
    EXPECT_EQ(read.event_of("7").view(), "stator/devices/7/event");
}

// The facts changed as text, the head made right again.
std::vector<std::byte> with_facts(std::string_view from, std::string_view to) {
    const auto page = bytes_of(example());
    std::string text{reinterpret_cast<const char*>(page.data()), page.size()};
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    const auto put = [&](std::size_t where, std::size_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            text[where + i] = static_cast<char>(value >> (8 * i) & 0xFFU);
    };
    put(12, text.find('\0', 16) + 1 - 16);
    put(4, text.size() - 12);
    put(8, base::crc32c(std::as_bytes(std::span{text}).subspan(12)));
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

TEST(FactoryPage, of_an_earlier_release_stands_for_the_default_names) {
    const auto page = bytes_of(example());
    const std::string_view text{reinterpret_cast<const char*>(page.data()), page.size()};
    const auto from = text.find(",\"waveformS\"");
    const auto to = text.find(",\"asset\"");
    ASSERT_LT(from, to);
    const auto old = with_facts(text.substr(from, to - from), "");
    const auto read = read_page(old);
    ASSERT_TRUE(read);
    EXPECT_EQ(read_topics(*read).data.view(), wire::Topics{}.data.view());
}

TEST(FactoryPage, of_a_later_format_or_with_names_that_cannot_be_is_refused) {
    EXPECT_TRUE(read_page(with_facts("\"format\":2", "\"format\":1")));
    for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
             {"\"format\":2", "\"format\":4"},
             {"\"control-message\"", "\"\""},
             {"\"control-message\"", "\"#\""},
             {"\"control-message\"", "\"stator/devices/7/stored\""},
             {"\"control-message\"", "\"shaded-pole-motor-sensor_data\""},
             {"\"control-message\"", "7"},
         })
        EXPECT_EQ(read_page(with_facts(from, to)).error(), base::Fault::bad_input) << to;
}

TEST(FactoryPage, begins_as_its_format_page_says) {
    const auto bytes = bytes_of(example());
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    EXPECT_EQ(text.substr(0, 4), "STSP");
    const auto low = [&](std::size_t at) {
        return std::to_integer<std::size_t>(bytes[at]) | std::to_integer<std::size_t>(bytes[at + 1])
                                                             << 8U;
    };
    EXPECT_EQ(low(4), bytes.size() - 12);
    EXPECT_EQ(text.substr(16, 8), "{\"host\":");
    EXPECT_EQ(bytes[16 + low(12) - 1], std::byte{0});
}

TEST(FactoryPage, blank_flash_has_none) {
    const std::vector<std::byte> blank(page_bytes_max, std::byte{0xFF});
    const auto page = read_page(blank);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error(), base::Fault::not_found);
}

TEST(FactoryPage, a_damaged_or_cut_page_is_not_read) {
    const auto whole = bytes_of(example());
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto damaged = whole;
        damaged[at] ^= std::byte{0x04};
        EXPECT_FALSE(read_page(damaged)) << "byte " << at;
        EXPECT_FALSE(read_page(std::span{whole}.first(at))) << "cut at " << at;
    }
}

TEST(FactoryPage, a_page_that_does_not_fit_is_not_written) {
    std::array<std::byte, 256> small{};
    const auto written = write_page(example(), small);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error(), base::Fault::full);
}

TEST(FactoryPage, a_feature_of_a_channel_that_is_not_there_is_refused) {
    Page page = example();
    ASSERT_TRUE(page.facts.asset.features.push_back({7, asset::Statistic::rms}));
    const auto read = read_page(bytes_of(page));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error(), base::Fault::bad_input);
}

}  // namespace
}  // namespace stator::factory
