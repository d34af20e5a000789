// AMX: a matrix product of 16 rows by 16 outputs over 64 inputs in one instruction, where the processor
// has it and the system lets it be used. The numbers are the exact integers that VNNI makes as well.
//
// The instructions are written out: the intrinsics of some compilers do not say which memory they read.
#pragma once

#include <cstdint>

#if defined(__AVX512VNNI__) && defined(__linux__) && (__GNUC__ >= 11 || defined(__clang__))
#define HAS_TILES 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

inline std::atomic<bool> tiles_refused{false};

// Whether this process may use AMX.
inline bool tiles_work() {
    static const bool works = [] {
        constexpr int REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // asm/prctl.h, Linux 5.16
        constexpr unsigned BITS = 3u << 24;                         // AMX-TILE and AMX-INT8
        unsigned a, b, c, d;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BITS) == BITS &&
               syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
    }();
    return works && !tiles_refused;
}

// While one lives, its thread's tile registers are set up: all of them 16 rows of 64 bytes.
class Tiles {
public:
    explicit Tiles(bool wanted) : on(wanted) {
        if (!on) return;
        struct alignas(64) {
            uint8_t palette = 1, start = 0, none[14] = {};
            uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } shape;
        asm volatile("ldtilecfg %0" ::"m"(shape) : "memory");
    }
    ~Tiles() {
        if (on) asm volatile("tilerelease" ::: "memory");
    }
    Tiles(const Tiles &) = delete;
    Tiles &operator=(const Tiles &) = delete;

private:
    const bool on;
};

// sums (16 rows, 16 outputs) = digits (16 rows, 64 inputs) * weights (16, 16 outputs, 4 inputs). Two places
// for sums take turns, so that one can be read while the next is made.
template <int PLACE>
inline __attribute__((always_inline)) void multiply_tiles(const int8_t *digits, const uint8_t *weights, int32_t *sums) {
    const int64_t stride = 64;
    if constexpr (PLACE == 0)
        asm volatile("tilezero %%tmm0\n\ttileloadd (%0,%3,1), %%tmm1\n\ttileloadd (%1,%3,1), %%tmm2\n\t"
                     "tdpbsud %%tmm2, %%tmm1, %%tmm0\n\ttilestored %%tmm0, (%2,%3,1)"
                     ::"r"(digits), "r"(weights), "r"(sums), "r"(stride) : "memory");
    else
        asm volatile("tilezero %%tmm3\n\ttileloadd (%0,%3,1), %%tmm4\n\ttileloadd (%1,%3,1), %%tmm5\n\t"
                     "tdpbsud %%tmm5, %%tmm4, %%tmm3\n\ttilestored %%tmm3, (%2,%3,1)"
                     ::"r"(digits), "r"(weights), "r"(sums), "r"(stride) : "memory");
}
#else
inline bool tiles_work() { return false; }
struct Tiles {
    explicit Tiles(bool) {}
};
#endif
