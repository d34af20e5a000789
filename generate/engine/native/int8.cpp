// INT8 matrix products: weights and activations in blocks of 64 inputs with a scale each.
//
// Products within a block are exact integers; blocks are added in float32, in their order. The scheme is
// that of llama.cpp's Q8_0, with blocks of 64.
#include "native.h"
#include "tiles.h"
#include "vector.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr int SCALES = TILE * sizeof(float);
constexpr int RECORD = SCALES + TILE * BLOCK;  // bytes of a tile's block

// Weights are stored plus this: VNNI multiplies unsigned by signed bytes, AVX2 cannot do so exactly.
#ifdef __AVX512VNNI__
constexpr int OFFSET = 128;
#else
constexpr int OFFSET = 0;
#endif

// Ask for weights some time before a step's first rows need them: most of a step waits for memory.
INLINE void fetch_ahead(const uint8_t *weights) {
    constexpr int AHEAD = 8 * RECORD;
    for (int line = 0; line < RECORD; line += 64) __builtin_prefetch(weights + AHEAD + line);
}

// Add 4 products to each of 16 sums.
INLINE Ints<16> dot(Ints<16> sums, const uint8_t *weights, const int8_t *x) {
#ifdef __AVX2__
    int32_t four;
    memcpy(&four, x, 4);
#endif
#if defined(__AVX512VNNI__)
    const __m512i w = _mm512_loadu_si512(weights);
    return (Ints<16>)_mm512_dpbusd_epi32((__m512i)sums, w, _mm512_set1_epi32(four));
#elif defined(__AVX2__)
    // |w| times x with w's sign: two products of at most 127 x 127 fit into the 16 bits of their sum.
    __m256i half[2], xs = _mm256_set1_epi32(four);
    memcpy(half, &sums, 64);
    for (int i = 0; i < 2; i++) {
        const __m256i w = _mm256_loadu_si256((const __m256i *)(weights + 32 * i));
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(xs, w));
        half[i] = _mm256_add_epi32(half[i], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    memcpy(&sums, half, 64);
    return sums;
#else
    for (int lane = 0; lane < TILE; lane++)
        for (int i = 0; i < 4; i++) sums[lane] += (int8_t)weights[lane * 4 + i] * x[i];
    return sums;
#endif
}

constexpr int FULL = 8;  // rows at a time: with AVX-512 their sums take half of the vector registers

// A tile of N rows of a group, from the first on.
template <int N> void vector_rows(const Linear &linear, int tile, const Rows &in, int group, int first, Floats<16> *out) {
    const uint8_t *w = linear.packed + (int64_t)tile * in.blocks * RECORD;
    const int64_t place = (int64_t)group * in.blocks * GROUP + first;
    const int8_t *digits = in.digits + place * BLOCK;
    const float *scales = in.scales + place;
    const int32_t *starts = in.starts + place;
    const bool cold = !group && !first;
    Floats<16> totals[N] = {};
    for (int block = 0; block < in.blocks; block++) {
        if (cold) fetch_ahead(w);
        const Floats<16> scale = load<16>((const float *)w);
        Ints<16> sums[N];
        for (int row = 0; row < N; row++) sums[row] = Ints<16>{} + starts[row];
        for (int i = 0; i < BLOCK; i += 4)
            for (int row = 0; row < N; row++)
                sums[row] = dot(sums[row], w + SCALES + i * TILE, digits + row * BLOCK + i);
        for (int row = 0; row < N; row++) {
            const Floats<16> products = __builtin_convertvector(sums[row], Floats<16>);
            totals[row] = fma<16>(products, scale * scales[row], totals[row]);
        }
        w += RECORD;
        digits += GROUP * BLOCK;
        scales += GROUP;
        starts += GROUP;
    }
    std::copy(totals, totals + N, out);
}

#ifdef HAS_TILES
// The same sums as those of vector_rows, from AMX, for a whole group at once: rows beyond N are of no use.
template <int N> void matrix_rows(const Linear &linear, int tile, const Rows &in, int group, Floats<16> *out) {
    const uint8_t *w = linear.packed + (int64_t)tile * in.blocks * RECORD;
    const int64_t place = (int64_t)group * in.blocks * GROUP;
    const int8_t *digits = in.digits + place * BLOCK;
    const float *scales = in.scales + place;
    const int32_t *starts = in.starts + place;
    alignas(64) int32_t sums[2][GROUP * TILE];
    Floats<16> totals[N] = {};
    const auto add = [&](int block) {
        const Floats<16> scale = load<16>((const float *)(w + (int64_t)block * RECORD));
        for (int row = 0; row < N; row++) {
            Ints<16> sum;
            memcpy(&sum, sums[block % 2] + row * TILE, sizeof sum);
            const Floats<16> products = __builtin_convertvector(sum + starts[block * GROUP + row], Floats<16>);
            totals[row] = fma<16>(products, scale * scales[block * GROUP + row], totals[row]);
        }
    };
    const auto multiply = [&](int block) {
        if (!group) fetch_ahead(w + (int64_t)block * RECORD);
        const int8_t *x = digits + (int64_t)block * GROUP * BLOCK;
        const uint8_t *weights = w + (int64_t)block * RECORD + SCALES;
        if (block % 2)
            multiply_tiles<1>(x, weights, sums[1]);
        else
            multiply_tiles<0>(x, weights, sums[0]);
    };
    multiply(0);
    for (int block = 1; block < in.blocks; block++) {
        multiply(block);
        add(block - 1);
    }
    add(in.blocks - 1);
    std::copy(totals, totals + N, out);
}

using MatrixRows = void (*)(const Linear &, int, const Rows &, int, Floats<16> *);
constexpr MatrixRows MATRIX_ROWS[GROUP + 1] = {
    nullptr,         matrix_rows<1>,  matrix_rows<2>,  matrix_rows<3>,  matrix_rows<4>,  matrix_rows<5>,
    matrix_rows<6>,  matrix_rows<7>,  matrix_rows<8>,  matrix_rows<9>,  matrix_rows<10>, matrix_rows<11>,
    matrix_rows<12>, matrix_rows<13>, matrix_rows<14>, matrix_rows<15>, matrix_rows<16>};
constexpr int FEWEST = 2;  // rows for which AMX is faster
#endif

using VectorRows = void (*)(const Linear &, int, const Rows &, int, int, Floats<16> *);
constexpr VectorRows VECTOR_ROWS[FULL + 1] = {nullptr,        vector_rows<1>, vector_rows<2>,
                                             vector_rows<3>, vector_rows<4>, vector_rows<5>,
                                             vector_rows<6>, vector_rows<7>, vector_rows<8>};

}  // namespace

void int8_rows(const Linear &linear, int tile, const Rows &in, int group, int count, bool amx, Floats<16> *out) {
#ifdef HAS_TILES
    if (amx && count >= FEWEST) return MATRIX_ROWS[count](linear, tile, in, group, out);
#endif
    for (int first = 0; first < count; first += FULL)
        VECTOR_ROWS[std::min(FULL, count - first)](linear, tile, in, group, first, out + first);
}

int64_t int8_bytes(int outputs, int inputs) { return (int64_t)tiles_of(outputs) * blocks_of(inputs) * RECORD; }

void pack_int8(const float *weight, int outputs, int inputs, uint8_t *packed) {
    for (int tile = 0; tile < tiles_of(outputs); tile++)
        for (int begin = 0; begin < inputs; begin += BLOCK, packed += RECORD)
            for (int lane = 0; lane < TILE; lane++) {
                const int output = tile * TILE + lane;
                const int size = output < outputs ? std::min(BLOCK, inputs - begin) : 0;
                const float *from = weight + (int64_t)output * inputs + begin;
                float peak = 0, rest = 0;  // rest: 0, unless a weight is not finite
                for (int i = 0; i < size; i++) peak = std::max(peak, std::fabs(from[i])), rest += from[i] * 0.0f;
                ((float *)packed)[lane] = peak / 127 + rest;
                const bool sound = peak > 1e-30f && rest == 0;
                for (int i = 0; i < BLOCK; i++) {
                    const float digit = i < size && sound ? std::rint(from[i] * (127 / peak)) : 0;
                    packed[SCALES + (i / 4 * TILE + lane) * 4 + i % 4] = (uint8_t)((int)digit + OFFSET);
                }
            }
}

void quantise(const float *x, const float *gain, float factor, int inputs, const Rows &into, int row) {
    for (int block = 0; block < into.blocks; block++) {
        const int64_t place = ((int64_t)(row / GROUP) * into.blocks + block) * GROUP + row % GROUP;
        const int begin = block * BLOCK, size = std::min(BLOCK, inputs - begin);
        float values[BLOCK] = {};
        for (int i = 0; i < size; i++) values[i] = gain ? x[begin + i] * gain[begin + i] : x[begin + i];
        Floats<16> peaks = {}, poison = {};
        for (int i = 0; i < BLOCK; i += 16) {
            const Floats<16> value = load<16>(values + i), absolute = value < 0 ? -value : value;
            peaks = absolute > peaks ? absolute : peaks;
            poison += value * 0.0f;  // 0, unless a value is not finite: then the block's scale is not, either
        }
        float peak = 0, rest = 0;
        for (int lane = 0; lane < 16; lane++) {
            peak = std::max(peak, peaks[lane]);
            rest += poison[lane];
        }
        const float inverse = peak > 1e-30f && rest == 0 ? 127 / peak : 0;
        int8_t *digits = into.digits + place * BLOCK;
        int32_t sum = 0;
        for (int i = 0; i < BLOCK; i++) sum += digits[i] = rest == 0 ? (int8_t)std::rint(values[i] * inverse) : 0;
        into.scales[place] = peak / 127 * factor + rest;
        into.starts[place] = -OFFSET * sum;
    }
}
