// Matrix products of float32 weights: each output's sum runs over the inputs in their order.
#include "native.h"
#include "vector.h"

#include <algorithm>

namespace {

constexpr int STEP = 16;  // inputs of a row that lie side by side: a cache line
#ifdef __AVX512F__
constexpr int FULL = GROUP;  // rows whose sums fill the vector registers
#else
constexpr int FULL = 4;
#endif

int steps_of(int inputs) { return (inputs + STEP - 1) / STEP; }

// A tile of N rows of a group, from the first on.
template <int N> void some_rows(const Linear &linear, int tile, const Rows &in, int group, int first, Floats<16> *out) {
    constexpr int AHEAD = 8 * STEP * TILE;
    const int steps = steps_of(linear.inputs);
    const float *w = (const float *)linear.packed + (int64_t)tile * steps * STEP * TILE;
    const float *x = in.values + ((int64_t)group * steps * GROUP + first) * STEP;
    const bool cold = !group && !first;  // most of a step waits for memory: ask for weights some time before
    Floats<16> sums[N] = {};
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < STEP; i++) {
            if (cold) __builtin_prefetch(w + AHEAD + i * TILE);
            const Floats<16> weights = load<16>(w + i * TILE);
            for (int row = 0; row < N; row++) sums[row] = fma<16>(weights, all<16>(x[row * STEP + i]), sums[row]);
        }
        w += STEP * TILE;
        x += GROUP * STEP;
    }
    std::copy(sums, sums + N, out);
}

using SomeRows = void (*)(const Linear &, int, const Rows &, int, int, Floats<16> *);
constexpr SomeRows SOME_ROWS[GROUP + 1] = {
    nullptr,       some_rows<1>,  some_rows<2>,  some_rows<3>,  some_rows<4>,  some_rows<5>,
    some_rows<6>,  some_rows<7>,  some_rows<8>,  some_rows<9>,  some_rows<10>, some_rows<11>,
    some_rows<12>, some_rows<13>, some_rows<14>, some_rows<15>, some_rows<16>};

}  // namespace

void float32_rows(const Linear &linear, int tile, const Rows &in, int group, int count, Floats<16> *out) {
    for (int first = 0; first < count; first += FULL)
        SOME_ROWS[std::min(FULL, count - first)](linear, tile, in, group, first, out + first);
}

int64_t float32_bytes(int outputs, int inputs) {
    return (int64_t)tiles_of(outputs) * steps_of(inputs) * STEP * TILE * sizeof(float);
}

void pack_float32(const float *weight, int outputs, int inputs, uint8_t *packed) {
    float *to = (float *)packed;
    for (int tile = 0; tile < tiles_of(outputs); tile++)
        for (int i = 0; i < steps_of(inputs) * STEP; i++)
            for (int output = tile * TILE; output < (tile + 1) * TILE; output++)
                *to++ = output < outputs && i < inputs ? weight[(int64_t)output * inputs + i] : 0;
}

void spread(const float *x, const float *gain, float factor, int inputs, const Rows &into, int row) {
    const int steps = steps_of(inputs);
    float *to = into.values + ((int64_t)(row / GROUP) * steps * GROUP + row % GROUP) * STEP;
    for (int step = 0; step < steps; step++, to += GROUP * STEP)
        for (int i = 0; i < STEP; i++) {
            const int place = step * STEP + i;
            const float value = place < inputs ? x[place] : 0;
            to[i] = gain && place < inputs ? value * factor * gain[place] : value;
        }
}
