// Matrix products, whatever the weights are made of, with what comes before and after them.
#include "native.h"
#include "tiles.h"
#include "vector.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

// A tile of a group's first rows.
void tile_rows(const Product &product, int tile, int group, int count, Floats<16> *out) {
    const Linear &linear = *product.linear;
    if (linear.weights == INT8)
        int8_rows(linear, tile, *product.in, group, count, product.amx, out);
    else
        float32_rows(linear, tile, *product.in, group, count, out);
    const int lanes = linear.bias ? std::min(TILE, linear.outputs - tile * TILE) : 0;
    for (int row = 0; row < count; row++)
        for (int lane = 0; lane < lanes; lane++) out[row][lane] += linear.bias[tile * TILE + lane];
}

}  // namespace

extern "C" int64_t packed_bytes(int outputs, int inputs, Weights weights) {
    return weights == INT8 ? int8_bytes(outputs, inputs) : float32_bytes(outputs, inputs);
}

// Put `weight` (outputs, inputs) into packed_bytes() bytes; what is missing to whole tiles is zero.
extern "C" void pack(const float *weight, int outputs, int inputs, Weights weights, uint8_t *packed) {
    (weights == INT8 ? pack_int8 : pack_float32)(weight, outputs, inputs, packed);
}

int64_t Rows::take(const Linear &linear, int rows, char *memory) {
    const int64_t whole = (rows + GROUP - 1) / GROUP * GROUP, places = whole * blocks_of(linear.inputs);
    blocks = blocks_of(linear.inputs);
    if (linear.weights == FLOAT32) {
        values = (float *)memory;
        return places * BLOCK * sizeof(float);
    }
    digits = (int8_t *)memory;
    scales = (float *)(digits + places * BLOCK);
    starts = (int32_t *)(scales + places);
    return places * (BLOCK + sizeof(float) + sizeof(int32_t));
}

void Rows::put(const Linear &linear, const float *x, const float *gain, float eps, int row) const {
    float factor = 1;
    if (gain) {
        Floats<16> squares = {};
        float sum = 0;
        int i = 0;
        for (; i + 16 <= linear.inputs; i += 16) squares = fma<16>(load<16>(x + i), load<16>(x + i), squares);
        for (; i < linear.inputs; i++) sum += x[i] * x[i];
        for (int lane = 0; lane < 16; lane++) sum += squares[lane];
        factor = 1 / std::sqrt(sum / (float)linear.inputs + eps);
    }
    (linear.weights == INT8 ? quantise : spread)(x, gain, factor, linear.inputs, *this, row);
}

int Product::items() const { return finish == GATE ? tiles_of(linear->outputs) / 2 : tiles_of(linear->outputs); }

void Product::compute(int item) const {
    const int width = std::min(TILE, linear->outputs - item * TILE);
    for (int group = 0; group * GROUP < rows; group++) {
        const int count = std::min(GROUP, rows - group * GROUP);
        Floats<16> values[GROUP], up[GROUP];
        tile_rows(*this, item, group, count, values);
        if (finish == GATE) tile_rows(*this, item + items(), group, count, up);
        for (int row = 0; row < count; row++) {
            float *to = out + (int64_t)(group * GROUP + row) * stride + item * TILE;
            Floats<16> value = values[row];
            if (finish == GATE) value = value / (1 + exp<16>(-value)) * up[row];  // SiLU
            if (finish == ADD)
                for (int lane = 0; lane < width; lane++) value[lane] += to[lane];
            memcpy(to, &value, width * sizeof(float));
        }
    }
}

// A layer by itself: x (rows, inputs), out (rows, outputs); with a gain (inputs,) the norm before it.
extern "C" void multiply(const Linear *linear, const float *x, const float *gain, float eps, int rows, float *out) {
    Rows in;
    std::vector<char> memory(in.take(*linear, rows, nullptr) + 64);
    in.take(*linear, rows, memory.data() + (-(uintptr_t)memory.data() & 63));
    for (int row = 0; row < rows; row++) in.put(*linear, x + (int64_t)row * linear->inputs, gain, eps, row);
    const bool amx = linear->weights == INT8 && tiles_work();
    const Tiles setup(amx);
    const Product product = {linear, &in, rows, STORE, out, linear->outputs, amx};
    for (int item = 0; item < product.items(); item++) product.compute(item);
}
