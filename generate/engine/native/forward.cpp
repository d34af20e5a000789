// A step through all layers. Products, norms and attention are in the other files.
#include "native.h"
#include "pool.h"
#include "tiles.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

struct Layer {
    Linear qkv, out, gate_up, down;
    const float *attention_norm, *mlp_norm;
    const float *query_norm, *key_norm;  // (head_dim,) or null
    int32_t window;
};

struct Model {
    int32_t layer_count, hidden, inner, heads, kv_heads, head_dim, vocabulary;
    float eps;
    const float *embedding;  // (vocabulary, hidden)
    const float *rotary;     // (positions, head_dim): cosine and sine of each pair
    const float *last_norm;
    Linear head;
    const Layer *layers;

    int width() const { return heads * head_dim; }
    int projected() const { return (heads + 2 * kv_heads) * head_dim; }
};

struct Batch {
    int32_t rows, segment_count, logit_count;
    const int64_t *ids, *positions, *own;  // (rows,); own: the slots that the rows are stored in
    const Segment *segments;
    const int64_t *logit_rows;
    float *const *stores;  // a layer: (2 * kv_heads, slots, head_dim)
    int64_t slots;
    float *queries;  // (layers, rows, heads * head_dim) for those who want to see them, or null
    float *logits;   // (logit_count, vocabulary)
};

namespace {

// Memory that grows and is used anew by every step.
class Arena {
public:
    // Make room for at least so many bytes, and begin anew.
    void open(int64_t bytes) {
        if (bytes > size_) {
            bytes += size_ / 4;  // contexts grow by one chunk after the other
            memory_.reset();
            memory_.reset((char *)std::aligned_alloc(64, (bytes + 63) / 64 * 64));
            size_ = memory_ ? bytes : 0;
            if (!memory_) throw std::bad_alloc();
        }
        used_ = 0;
    }

    // In whole cache lines.
    template <class T> T *take(int64_t count) {
        T *place = (T *)(memory_.get() + used_);
        used_ += bytes<T>(count);
        return place;
    }

    template <class T> static int64_t bytes(int64_t count) { return (count * sizeof(T) + 63) / 64 * 64; }

private:
    struct Free {
        void operator()(char *memory) const { std::free(memory); }
    };
    std::unique_ptr<char, Free> memory_;
    int64_t size_ = 0, used_ = 0;
};

class Step {
public:
    Step(const Model &model, const Batch &batch, Pool &pool, Arena &arena)
        : m(model), b(batch), pool(pool), amx(m.head.weights == INT8 && tiles_work()), scratch(pool.threads()) {
        attention = {.heads = m.heads, .kv_heads = m.kv_heads, .head_dim = m.head_dim, .stride = m.projected(),
                     .positions = b.positions, .slots = b.slots, .segments = b.segments,
                     .segment_count = b.segment_count, .scratch = scratch.data()};
        const int64_t rows = b.rows, prepared = prepared_bytes();
        const int64_t parts = attention.part_floats(), own = attention.scratch_floats();
        arena.open(Arena::bytes<float>(rows * m.hidden) + Arena::bytes<float>(rows * m.projected()) +
                   Arena::bytes<float>(rows * m.width()) + Arena::bytes<float>(rows * m.inner) +
                   Arena::bytes<char>(prepared) + Arena::bytes<float>(parts) +
                   pool.threads() * Arena::bytes<float>(own));
        x = arena.take<float>(rows * m.hidden);
        qkv = arena.take<float>(rows * m.projected());
        attended = arena.take<float>(rows * m.width());
        inner = arena.take<float>(rows * m.inner);
        memory = arena.take<char>(prepared);
        attention.parts = arena.take<float>(parts);
        for (auto &place : scratch) place = arena.take<float>(own);
        attention.queries = qkv;
        attention.out = attended;
    }

    // All phases, as every thread goes through them.
    void run(int thread) const {
        const Tiles setup(amx);
        pool.share(b.rows, [&](int row) {
            std::memcpy(x + (int64_t)row * m.hidden, m.embedding + b.ids[row] * m.hidden, m.hidden * sizeof(float));
        });
        for (int number = 0; number < m.layer_count; number++) {
            const Layer &layer = m.layers[number];
            Attention attention = this->attention;
            attention.store = b.stores[number];
            attention.window = layer.window;
            multiply(layer.qkv, x, layer.attention_norm, STORE, qkv, m.projected());
            pool.share(b.rows, [&](int row) { rotate(row, layer, number); });
            pool.share(attention.items(), [&](int item) { attention.gather(item, thread); });
            pool.share(attention.merges(), [&](int item) { attention.merge(item, thread); });
            multiply(layer.out, attended, nullptr, ADD, x, m.hidden);
            multiply(layer.gate_up, x, layer.mlp_norm, GATE, inner, m.inner);
            multiply(layer.down, inner, nullptr, ADD, x, m.hidden);
        }
        product(m.head, b.logit_count, x, b.logit_rows, m.last_norm, STORE, b.logits, m.vocabulary);
    }

private:
    int64_t prepared_bytes() const {
        const Layer &layer = m.layers[0];
        int64_t most = Rows().take(m.head, b.logit_count, nullptr);
        for (const Linear *linear : {&layer.qkv, &layer.out, &layer.gate_up, &layer.down})
            most = std::max(most, Rows().take(*linear, b.rows, nullptr));
        return most;
    }

    void multiply(const Linear &linear, const float *from, const float *gain, Finish finish, float *to, int stride) const {
        product(linear, b.rows, from, nullptr, gain, finish, to, stride);
    }

    // Of rows of `from`, in the order of `chosen` or in their own.
    void product(const Linear &linear, int rows, const float *from, const int64_t *chosen, const float *gain,
                 Finish finish, float *to, int stride) const {
        Rows in;
        in.take(linear, rows, memory);
        pool.share(rows, [&](int row) {
            in.put(linear, from + (chosen ? chosen[row] : row) * linear.inputs, gain, m.eps, row);
        });
        const Product product = {&linear, &in, rows, finish, to, stride, amx};
        pool.share(rows ? product.items() : 0, [&](int item) { product.compute(item); });
    }

    void norm(float *head, const float *gain) const {
        float sum = 0;
        for (int i = 0; i < m.head_dim; i++) sum += head[i] * head[i];
        const float factor = 1 / std::sqrt(sum / (float)m.head_dim + m.eps);
        for (int i = 0; i < m.head_dim; i++) head[i] *= factor * gain[i];
    }

    // Norm and rotate a row's queries and keys, and store its keys and values.
    void rotate(int row, const Layer &layer, int number) const {
        const int size = m.head_dim;
        float *heads = qkv + (int64_t)row * m.projected();
        const float *turn = m.rotary + b.positions[row] * size;
        for (int head = 0; head < m.heads + m.kv_heads; head++) {
            float *pairs = heads + head * size;
            const float *gain = head < m.heads ? layer.query_norm : layer.key_norm;
            if (gain) norm(pairs, gain);
            for (int i = 0; i < size; i += 2) {
                const float real = pairs[i], imaginary = pairs[i + 1];
                pairs[i] = real * turn[i] - imaginary * turn[i + 1];
                pairs[i + 1] = real * turn[i + 1] + imaginary * turn[i];
            }
        }
        float *store = b.stores[number] + b.own[row] * size;
        for (int head = 0; head < 2 * m.kv_heads; head++)
            std::memcpy(store + head * b.slots * size, heads + (m.heads + head) * size, size * sizeof(float));
        if (b.queries) {
            float *copy = b.queries + ((int64_t)number * b.rows + row) * m.width();
            std::memcpy(copy, heads, m.width() * sizeof(float));
        }
    }

    const Model &m;
    const Batch &b;
    Pool &pool;
    const bool amx;
    Attention attention = {};
    std::vector<float *> scratch;
    char *memory;                       // of the rows that go into a product
    float *x, *qkv, *attended, *inner;  // (rows, ...)
};

}  // namespace

// A model with its threads, and the memory that its steps work in.
struct Runner {
    Model model;
    std::unique_ptr<Pool> pool;
    Arena arena;
};

// Whether this processor has the instructions that this was compiled to; compiled_for() names them.
extern "C" int runs_here() {
#if defined(__AVX512VNNI__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 1;
#endif
}

// Work without AMX, or with it again, for those who compare; returns whether there is any.
extern "C" int refuse_tiles([[maybe_unused]] int refused) {
#ifdef HAS_TILES
    tiles_refused = false;
    const bool any = tiles_work();
    tiles_refused = refused;
    return any;
#else
    return 0;
#endif
}

extern "C" const char *compiled_for() {
#if defined(__AVX512VNNI__)
    return tiles_work() ? "AVX-512 VNNI, AMX" : "AVX-512 VNNI";
#elif defined(__AVX2__)
    return "AVX2";
#else
    return "any processor";
#endif
}

// The model's arrays must outlive the runner. Null without memory.
extern "C" Runner *runner_open(const Model *model) { return new (std::nothrow) Runner{*model, nullptr, {}}; }

extern "C" void runner_close(Runner *runner) { delete runner; }

// Compute a step: keys and values of its rows land in the stores, logits in the batch. Returns 0, or -1
// where memory or threads are not to be had.
extern "C" int runner_forward(Runner *runner, const Batch *batch, int threads) try {
    if (!runner->pool || runner->pool->threads() != threads) {
        runner->pool.reset();
        runner->pool = std::make_unique<Pool>(threads);
    }
    const Step step(runner->model, *batch, *runner->pool, runner->arena);
    runner->pool->run([&](int thread) { step.run(thread); });
    return 0;
} catch (const std::exception &) {
    return -1;
}
