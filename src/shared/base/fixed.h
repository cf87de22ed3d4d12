// Containers with a limit and no heap: FixedString and FixedVector.
//
// Reaching the limit is an ordinary result: append() and push_back() say false and change nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>
#include <string_view>

namespace stator::base {

template <std::size_t bytes_max>
class FixedString {
  public:
    constexpr FixedString() = default;

    // Cuts what does not fit: use assign() where that matters.
    constexpr FixedString(std::string_view text) {  // NOLINT(google-explicit-constructor)
        [[maybe_unused]] const bool whole = assign(text.substr(0, bytes_max));
    }

    constexpr FixedString(const char* text) : FixedString{std::string_view{text}} {}  // NOLINT

    [[nodiscard]] constexpr bool assign(std::string_view text) {
        if (text.size() > bytes_max) return false;
        std::copy(text.begin(), text.end(), bytes_.begin());
        size_ = text.size();
        return true;
    }

    [[nodiscard]] constexpr bool append(std::string_view text) {
        if (size_ + text.size() > bytes_max) return false;
        std::copy(text.begin(), text.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += text.size();
        return true;
    }

    constexpr void clear() { size_ = 0; }

    [[nodiscard]] constexpr std::string_view view() const { return {bytes_.data(), size_}; }

    constexpr operator std::string_view() const { return view(); }  // NOLINT

    [[nodiscard]] constexpr bool empty() const { return size_ == 0; }

    [[nodiscard]] constexpr std::size_t size() const { return size_; }

    friend constexpr bool operator==(const FixedString& a, const FixedString& b) {
        return a.view() == b.view();
    }

    friend constexpr bool operator==(const FixedString& a, std::string_view b) {
        return a.view() == b;
    }

  private:
    std::array<char, bytes_max> bytes_{};
    std::size_t size_ = 0;
};

template <typename T, std::size_t size_max>
class FixedVector {
  public:
    [[nodiscard]] constexpr bool push_back(const T& value) {
        if (size_ == size_max) return false;
        items_[size_++] = value;
        return true;
    }

    // Grows with value-initialised items; false, and unchanged, above the limit.
    [[nodiscard]] constexpr bool resize(std::size_t size) {
        if (size > size_max) return false;
        for (std::size_t i = size_; i < size; ++i)
            items_[i] = T{};
        size_ = size;
        return true;
    }

    constexpr void clear() { size_ = 0; }

    [[nodiscard]] constexpr T& operator[](std::size_t i) {
        assert(i < size_);
        return items_[i];
    }

    [[nodiscard]] constexpr const T& operator[](std::size_t i) const {
        assert(i < size_);
        return items_[i];
    }

    [[nodiscard]] constexpr std::size_t size() const { return size_; }

    [[nodiscard]] static constexpr std::size_t capacity() { return size_max; }

    [[nodiscard]] constexpr bool empty() const { return size_ == 0; }

    [[nodiscard]] constexpr T* begin() { return items_.data(); }

    [[nodiscard]] constexpr T* end() { return items_.data() + size_; }

    [[nodiscard]] constexpr const T* begin() const { return items_.data(); }

    [[nodiscard]] constexpr const T* end() const { return items_.data() + size_; }

    [[nodiscard]] constexpr std::span<T> span() { return {items_.data(), size_}; }

    [[nodiscard]] constexpr std::span<const T> span() const { return {items_.data(), size_}; }

  private:
    std::array<T, size_max> items_{};
    std::size_t size_ = 0;
};

}  // namespace stator::base
