#include "world/metrics/metrics.h"

#include <gtest/gtest.h>

#include <limits>

namespace stator::metrics {
namespace {

TEST(MetricsTest, RendersFamiliesWithTheirTypesAndOneLineAValue) {
    Metrics metrics;
    metrics.add("stator_ingest_rows_total");
    metrics.add("stator_ingest_rows_total", 2.0);
    metrics.set("stator_log_free_bytes", 1.5e9, label("class", "alarm"));
    metrics.set("stator_log_free_bytes", 7, label("class", "control"));
    EXPECT_EQ(
        metrics.render(),
        "# TYPE stator_ingest_rows_total counter\n"
        "stator_ingest_rows_total 3\n"
        "# TYPE stator_log_free_bytes gauge\n"
        "stator_log_free_bytes{class=\"alarm\"} 1500000000\n"
        "stator_log_free_bytes{class=\"control\"} 7\n"
    );
}

TEST(MetricsTest, EscapesWhatALabelMayNotHold) {
    EXPECT_EQ(label("device", "a\"b\\c\nd"), R"(device="a\"b\\c\nd")");
}

TEST(MetricsTest, SaysNumbersThatAreNotFiniteAsTheFormatDoes) {
    Metrics metrics;
    metrics.set("a", std::numeric_limits<double>::quiet_NaN());
    metrics.set("b", std::numeric_limits<double>::infinity());
    metrics.set("c", -std::numeric_limits<double>::infinity());
    const std::string text = metrics.render();
    EXPECT_NE(text.find("a NaN\n"), std::string::npos);
    EXPECT_NE(text.find("b +Inf\n"), std::string::npos);
    EXPECT_NE(text.find("c -Inf\n"), std::string::npos);
}

TEST(MetricsTest, WhatWasNeverSaidIsZero) {
    Metrics metrics;
    EXPECT_EQ(metrics.get("stator_gate_denied_total"), 0.0);
    metrics.add("stator_gate_denied_total", 4.0, label("role", "sensor"));
    EXPECT_EQ(metrics.get("stator_gate_denied_total"), 0.0);
    EXPECT_EQ(metrics.get("stator_gate_denied_total", label("role", "sensor")), 4.0);
}

}  // namespace
}  // namespace stator::metrics
