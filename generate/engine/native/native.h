// A decoder of the llama shape on the CPU, with INT8 or float32 weights: what its parts share.
//
// Two things hold in every file here, and make speculative decoding exact without tolerance:
//  - A row's result never depends on the rows beside it. Sums run over inputs, keys and dimensions in an
//    order that is fixed by these alone; vectors run across outputs, or across rows.
//  - What a row does not see contributes an exact zero, if it is finite.
// So a token tree's node has, bit for bit, the logits of the same token decoded alone.
//
// The structs are filled by runner.py; library.py has them field for field.
#pragma once

#include "vector.h"

#include <cstdint>

constexpr int BLOCK = 64;  // inputs that share a scale
constexpr int TILE = 16;   // outputs that lie, and are computed, side by side
constexpr int GROUP = 16;  // rows that lie side by side: those of an AMX tile

inline int blocks_of(int inputs) { return (inputs + BLOCK - 1) / BLOCK; }
inline int tiles_of(int outputs) { return (outputs + TILE - 1) / TILE; }

enum Weights : int32_t { FLOAT32, INT8 };

// A layer. `packed` holds, for each tile, INT8: for each block of inputs 16 scales and then, for every 4
// inputs, 16 x 4 weights; FLOAT32: for each input, 16 weights.
struct Linear {
    int32_t outputs, inputs;
    const uint8_t *packed;
    const float *bias;  // (outputs,) or null
    Weights weights;
};

// Rows of activations in groups, as a layer's kernel wants them.
struct Rows {
    int32_t blocks = 0;
    // INT8: 8 bits, with a scale for each block of each row.
    int8_t *digits = nullptr;   // (groups, blocks, GROUP, BLOCK)
    float *scales = nullptr;    // (groups, blocks, GROUP)
    int32_t *starts = nullptr;  // (groups, blocks, GROUP): what makes good for the offset of the weights
    // FLOAT32
    float *values = nullptr;  // (groups, inputs / 16 rounded up, GROUP, 16)

    // Lie down in memory that is aligned to 64 bytes; returns how many bytes that takes.
    int64_t take(const Linear &linear, int rows, char *memory);
    // Fill a row from as many floats as the layer has inputs; with a gain, from their root-mean-square norm.
    void put(const Linear &linear, const float *x, const float *gain, float eps, int row) const;
};

enum Finish : int32_t { STORE, ADD, GATE };

// A matrix product. Its items are tiles; or pairs of them, where the first half of the outputs gates the
// second: half the outputs then fill whole tiles.
struct Product {
    const Linear *linear;
    const Rows *in;
    int32_t rows;
    Finish finish;
    float *out;  // (rows, stride)
    int32_t stride;
    bool amx;  // AMX may be used: the threads are set up for it

    int items() const;
    void compute(int item) const;
};

// One request's rows in a step; `slots` are its whole context, the rows' own at the end. In a token tree
// `ancestors` (rows, rows) says which rows a row sees.
struct Segment {
    int32_t begin, rows, length;
    const int64_t *slots;
    const uint8_t *ancestors;  // null: each row sees those before it
};

// Attention of one layer. The query heads that share a KV head are `kv_heads` apart. Its items gather
// from the cache, and its merges make of what they found the result.
struct Attention {
    int32_t heads, kv_heads, head_dim, window;  // window 0: none
    const float *queries;                       // (rows, stride): rotated and scaled
    int32_t stride;
    const int64_t *positions;  // (rows,)
    const float *store;        // (2 * kv_heads, slots, head_dim), keys before values
    int64_t slots;
    const Segment *segments;
    int32_t segment_count;
    float *out;             // (rows, heads * head_dim)
    float *parts;           // part_floats() of them, aligned to 64 bytes
    float *const *scratch;  // a thread: scratch_floats() of them, aligned to 64 bytes

    int64_t part_floats() const;
    int64_t scratch_floats() const;
    int items() const;
    void gather(int item, int thread) const;
    int merges() const;
    void merge(int item, int thread) const;
};

// What int8.cpp and float32.cpp have for each kind of weights: a tile of the first `count` rows of a group;
// packed weights; a row of activations, times the factor if there is a gain.
void int8_rows(const Linear &linear, int tile, const Rows &in, int group, int count, bool amx, Floats<16> *out);
void float32_rows(const Linear &linear, int tile, const Rows &in, int group, int count, Floats<16> *out);
int64_t int8_bytes(int outputs, int inputs);
int64_t float32_bytes(int outputs, int inputs);
void pack_int8(const float *weight, int outputs, int inputs, uint8_t *packed);
void pack_float32(const float *weight, int outputs, int inputs, uint8_t *packed);
void quantise(const float *x, const float *gain, float factor, int inputs, const Rows &into, int row);
void spread(const float *x, const float *gain, float factor, int inputs, const Rows &into, int row);
