// What every port's Flash must do; a port's test calls it with its own.
//
// `open` gives the flash as it is after a restart: what was written before must be there.
#pragma once

#include "sense/hal/flash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

namespace stator::hal {

inline void check_flash(const std::function<Flash&()>& open) {
    const std::size_t sector = open().sector_bytes();
    const std::size_t size = open().size_bytes();
    ASSERT_GE(size, 4 * sector);
    ASSERT_EQ(size % sector, 0U);
    const auto at = [&](std::size_t offset) { return open().mapped(offset, 1)[0]; };
    constexpr std::array<std::byte, 4> first = {
        std::byte{0xF0}, std::byte{0x12}, std::byte{0x00}, std::byte{0xFF}
    };
    constexpr std::array<std::byte, 4> cleared = {
        std::byte{0x10}, std::byte{0x02}, std::byte{0x00}, std::byte{0x0F}
    };

    ASSERT_TRUE(open().erase(sector));
    EXPECT_TRUE(std::ranges::all_of(open().mapped(sector, sector), [](std::byte b) {
        return b == std::byte{0xFF};
    }));
    ASSERT_TRUE(open().program(sector + 8, first));
    EXPECT_EQ(at(sector + 7), std::byte{0xFF});
    EXPECT_EQ(at(sector + 8), std::byte{0xF0});
    EXPECT_EQ(at(sector + 12), std::byte{0xFF});
    ASSERT_TRUE(open().program(sector + 8, cleared));  // bits may be cleared again
    EXPECT_EQ(at(sector + 9), std::byte{0x02});

    // Only whole units inside, and only whole sectors, are taken; nothing changes otherwise.
    EXPECT_FALSE(open().program(sector + 9, first));
    EXPECT_FALSE(open().program(sector + 8, std::span{first}.first(3)));
    EXPECT_FALSE(open().program(size - 2, first));
    EXPECT_FALSE(open().erase(sector + 4));
    EXPECT_FALSE(open().erase(size));
    EXPECT_EQ(at(sector + 8), std::byte{0x10});

    // A sector is erased alone.
    ASSERT_TRUE(open().erase(2 * sector));
    ASSERT_TRUE(open().program(2 * sector, first));
    ASSERT_TRUE(open().erase(sector));
    EXPECT_EQ(at(sector + 8), std::byte{0xFF});
    EXPECT_EQ(at(2 * sector), std::byte{0xF0});
}

}  // namespace stator::hal
