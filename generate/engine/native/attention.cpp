// Attention over the paged cache, a vector lane for each pair of row and query head ("line").
//
// Keys come in chunks of 256 positions. A chunk's softmax and its weighted sum of values are worked out
// by themselves, and chunks are merged in their order (flash decoding), so that the chunks of a long
// context are items for all threads. Within a chunk keys follow one another in the order of their
// positions; a token tree's nodes belong to the chunks of their own positions. All this is the same for
// a row in a tree and for the row alone, and so is the result.
#include "native.h"
#include "vector.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr int CHUNK = 256;
constexpr int NODES = 128;       // drafts, the most a tree has; the chunk with its root has room for that one
constexpr int SPLIT_ROWS = 32;   // longer stretches have items enough without sharing out chunks
constexpr int VECTORS = 4;       // vectors of lines that pass over a chunk together, while caches hold it
constexpr int NEAR = 64;         // keys whose values fit into the smallest cache
constexpr float NOTHING = -1e30;  // the largest score of no keys at all

// The keys of a chunk that a segment's rows may see: the first `shared` have the positions from `first`
// on, then come a tree's nodes.
struct Keys {
    int first, shared = 0, count = 0;
    int64_t slots[CHUNK + NODES];
    int nodes[CHUNK + NODES];
};

// A segment, with what follows from its shape.
struct Shape {
    const Attention &a;
    const Segment &s;
    int group, lines, vectors, bundles, last, first_chunk, chunks;
    int left_out;  // of the context, before its first slot: a self-draft reads a part of it
    bool split;    // chunks are items, and merged later

    Shape(const Attention &attention, const Segment &segment) : a(attention), s(segment) {
        const int64_t *positions = a.positions + s.begin;
        left_out = (int)positions[0] - (s.length - s.rows);
        group = a.heads / a.kv_heads;
        lines = s.rows * group;
        vectors = (lines + 15) / 16;
        bundles = (vectors + VECTORS - 1) / VECTORS;
        last = (int)*std::max_element(positions, positions + s.rows) - left_out;
        first_chunk = a.window ? std::max(0, position(0) - a.window + 1) / CHUNK : 0;
        chunks = last / CHUNK + 1 - first_chunk;
        split = s.ancestors || s.rows <= SPLIT_ROWS;
    }

    int items() const { return a.kv_heads * bundles * (split ? chunks : 1); }
    int merges() const { return split ? a.kv_heads * vectors : 0; }
    int parts() const { return merges() * chunks; }
    int row_of(int line) const { return std::min(line / group, s.rows - 1); }
    int position(int row) const { return (int)a.positions[s.begin + row] - left_out; }

    void keys(int chunk, int seen, Keys &keys) const {
        const int context = s.ancestors ? s.length - s.rows : s.length;
        keys.first = chunk * CHUNK;
        for (int i = keys.first; i < std::min({keys.first + CHUNK, seen + 1, context}); i++)
            keys.slots[keys.count++] = s.slots[i];
        keys.shared = keys.count;
        for (int node = 0; s.ancestors && node < s.rows; node++)
            if (position(node) / CHUNK == chunk) {
                keys.nodes[keys.count] = node;
                keys.slots[keys.count++] = s.slots[context + node];
            }
    }
};

// What a vector of lines gathers from some keys: the largest score, the sum of weights, weighted values.
// In memory: (2 + head_dim) vectors of up to 16 lanes.
int64_t part_size(int head_dim) { return (2 + head_dim) * 16; }

// Scores of N keys that lie side by side.
template <int L, int N> INLINE void scores_of(const Floats<L> *q, const float *keys, int head_dim, Floats<L> *scores) {
    Floats<L> sums[N] = {};
    for (int d = 0; d < head_dim; d++)
        for (int key = 0; key < N; key++) sums[key] = fma<L>(q[d], all<L>(keys[key * head_dim + d]), sums[key]);
    for (int key = 0; key < N; key++) scores[key] = sums[key];
}

// The arithmetic for L lanes, of the lines from `first` on.
template <int L> struct Lines {
    using Vector = Floats<L>;
    const Shape &shape;
    const int kv_head, first;
    const Attention &a = shape.a;
    const int head_dim = a.head_dim;

    static Vector *at(float *place) { return (Vector *)place; }

    // Queries, dimension by dimension; lanes beyond the last line are zero.
    void queries(Vector *q) const {
        std::fill(q, q + head_dim, Vector{});
        for_lines([&](int lane, int64_t row, int head) {
            const float *from = a.queries + row * a.stride + head * head_dim;
            for (int d = 0; d < head_dim; d++) q[d][lane] = from[d];
        });
    }

    void score(const Vector *q, const float *keys, const float *values, const Keys &k, Vector *scores) const {
        for (int i = 0; i < k.count;) {
            fetch(keys, k, i + 16);
            fetch(values, k, i);
            const float *from = keys + k.slots[i] * head_dim;
            bool side_by_side = i + 8 <= k.count;
            for (int j = 1; side_by_side && j < 8; j++) side_by_side = k.slots[i + j] == k.slots[i] + j;
            if (side_by_side && head_dim == 64)  // the most frequent size: its addresses are constants
                scores_of<L, 8>(q, from, 64, scores + i);
            else if (side_by_side)
                scores_of<L, 8>(q, from, head_dim, scores + i);
            else
                scores_of<L, 1>(q, from, head_dim, scores + i);
            i += side_by_side ? 8 : 1;
        }
    }

    // Ask for 8 keys, or values, some time before they are needed.
    void fetch(const float *store, const Keys &k, int begin) const {
        for (int i = begin; i < std::min(begin + 8, k.count); i++)
            for (int d = 0; d < head_dim; d += 16) __builtin_prefetch(store + k.slots[i] * head_dim + d);
    }

    // Minus infinity for what a line does not see.
    void mask(const Keys &k, Vector *scores) const {
        const Segment &s = shape.s;
        Ints<L> last, before;
        for (int lane = 0; lane < L; lane++) {
            last[lane] = shape.position(shape.row_of(first + lane));
            before[lane] = a.window ? last[lane] - a.window : -1;
        }
        const Vector never = all<L>(-INFINITY);
        for (int i = 0; i < k.shared; i++) {
            const Ints<L> seen = (before < k.first + i) & (last >= k.first + i);
            scores[i] = seen ? scores[i] : never;
        }
        for (int i = k.shared; i < k.count; i++)
            for (int lane = 0; lane < L; lane++) {
                const uint8_t *ancestors = s.ancestors + shape.row_of(first + lane) * s.rows;
                if (!ancestors[k.nodes[i]] || before[lane] >= shape.position(k.nodes[i]))
                    scores[i][lane] = -INFINITY;
            }
    }

    // From the scores of a chunk to its part.
    void weigh(Vector *scores, const float *values, const Keys &k, Vector *part) const {
        Vector largest = all<L>(NOTHING), weights = {};
        for (int i = 0; i < k.count; i++) largest = scores[i] > largest ? scores[i] : largest;
        for (int i = 0; i < k.count; i++) weights += scores[i] = exp<L>(scores[i] - largest);
        part[0] = largest;
        part[1] = weights;
        std::fill(part + 2, part + 2 + head_dim, Vector{});
        for (int begin = 0; begin < k.count; begin += NEAR) {  // so that values stay near for all dimensions
            const int end = std::min(begin + NEAR, k.count);
            for (Vector *sum = part + 2; sum < part + 2 + head_dim; sum += 8, values += 8) {
                Vector sums[8];
                std::copy(sum, sum + 8, sums);
                for (int i = begin; i < end; i++)
                    for (int d = 0; d < 8; d++)
                        sums[d] = fma<L>(scores[i], all<L>(values[k.slots[i] * head_dim + d]), sums[d]);
                std::copy(sums, sums + 8, sum);
            }
            values -= head_dim;
        }
    }

    void clear(Vector *part) const {
        part[0] = all<L>(NOTHING);
        std::fill(part + 1, part + 2 + head_dim, Vector{});
    }

    // A part of nothing changes nothing, to the last bit.
    void add(Vector *into, const Vector *part) const {
        const Vector largest = into[0] > part[0] ? into[0] : part[0];
        const Vector old = exp<L>(into[0] - largest), fresh = exp<L>(part[0] - largest);
        into[0] = largest;
        for (int i = 1; i < 2 + head_dim; i++) into[i] = fma<L>(part[i], fresh, into[i] * old);
    }

    void finish(const Vector *part) const {
        for_lines([&](int lane, int64_t row, int head) {
            float *to = a.out + (row * a.heads + head) * head_dim;
            for (int d = 0; d < head_dim; d++) to[d] = part[2 + d][lane] / part[1][lane];
        });
    }

    template <class Do> void for_lines(Do act) const {
        for (int line = first; line < std::min(first + L, shape.lines); line++)
            act(line - first, shape.s.begin + line / shape.group, line % shape.group * a.kv_heads + kv_head);
    }
};

// Act on a vector's lines: eight lanes where they suffice are half the work.
template <class Do> void with_lines(const Shape &shape, int kv_head, int vector, Do act) {
    if (shape.lines - vector * 16 <= 8)
        act(Lines<8>{shape, kv_head, vector * 16});
    else
        act(Lines<16>{shape, kv_head, vector * 16});
}

// The part of a vector in a chunk.
float *part_of(const Shape &shape, int kv_head, int vector, int chunk, float *parts) {
    const int64_t place = ((int64_t)kv_head * shape.vectors + vector) * shape.chunks;
    return parts + (place + chunk - shape.first_chunk) * part_size(shape.a.head_dim);
}

// Some vectors over some chunks: to their parts, or to the end.
void gather(const Shape &shape, int kv_head, int vector, int count, int chunk, int chunks, float *parts, float *scratch) {
    const Attention &a = shape.a;
    const int64_t size = part_size(a.head_dim);
    float *queries = scratch, *scores = queries + VECTORS * a.head_dim * 16, *part = scores + (CHUNK + NODES) * 16;
    float *sums = part + size;
    const float *keys = a.store + kv_head * a.slots * a.head_dim;
    const float *values = keys + a.kv_heads * a.slots * a.head_dim;
    // Parts are merged over all chunks, so one that these lines do not see has to become a part of nothing.
    const int seen = shape.split ? shape.last : shape.position(shape.row_of((vector + count) * 16 - 1));
    for (int i = 0; i < count; i++)
        with_lines(shape, kv_head, vector + i, [&](const auto &lines) {
            lines.queries(lines.at(queries + i * a.head_dim * 16));
            lines.clear(lines.at(sums + i * size));
        });
    for (int end = std::min(chunk + chunks, seen / CHUNK + 1); chunk < end; chunk++) {
        Keys k;
        shape.keys(chunk, seen, k);
        for (int i = 0; i < count; i++)
            with_lines(shape, kv_head, vector + i, [&](const auto &lines) {
                float *into = shape.split ? part_of(shape, kv_head, vector + i, chunk, parts) : part;
                lines.score(lines.at(queries + i * a.head_dim * 16), keys, values, k, lines.at(scores));
                lines.mask(k, lines.at(scores));
                lines.weigh(lines.at(scores), values, k, lines.at(into));
                if (!shape.split) lines.add(lines.at(sums + i * size), lines.at(into));
            });
    }
    for (int i = 0; i < count && !shape.split; i++)
        with_lines(shape, kv_head, vector + i, [&](const auto &lines) { lines.finish(lines.at(sums + i * size)); });
}

void merge(const Shape &shape, int kv_head, int vector, float *parts, float *scratch) {
    with_lines(shape, kv_head, vector, [&](const auto &lines) {
        lines.clear(lines.at(scratch));
        for (int chunk = shape.first_chunk; chunk < shape.first_chunk + shape.chunks; chunk++)
            lines.add(lines.at(scratch), lines.at(part_of(shape, kv_head, vector, chunk, parts)));
        lines.finish(lines.at(scratch));
    });
}

// Find the segment that an item belongs to, if each has as many as `count` says, and act on it.
template <class Count, class Do> void find(const Attention &a, int item, Count count, Do act) {
    int64_t part = 0;
    for (int i = 0;; i++) {
        const Shape shape(a, a.segments[i]);
        if (item < (shape.*count)()) return act(shape, item, a.parts + part * part_size(a.head_dim));
        item -= (shape.*count)();
        part += shape.parts();
    }
}

}  // namespace

int64_t Attention::part_floats() const {
    int64_t count = 0;
    for (int i = 0; i < segment_count; i++) count += Shape(*this, segments[i]).parts();
    return count * part_size(head_dim);
}

int64_t Attention::scratch_floats() const {
    return (VECTORS * head_dim + CHUNK + NODES) * 16 + (1 + VECTORS) * part_size(head_dim);
}

int Attention::items() const {
    int count = 0;
    for (int i = 0; i < segment_count; i++) count += Shape(*this, segments[i]).items();
    return count;
}

int Attention::merges() const {
    int count = 0;
    for (int i = 0; i < segment_count; i++) count += Shape(*this, segments[i]).merges();
    return count;
}

void Attention::gather(int item, int thread) const {
    find(*this, item, &Shape::items, [&](const Shape &shape, int item, float *parts) {
        int chunk = shape.first_chunk, chunks = shape.chunks;
        if (shape.split) {
            chunk += item % chunks;
            item /= chunks;
            chunks = 1;
        }
        const int vector = item % shape.bundles * VECTORS;
        const int count = std::min(VECTORS, shape.vectors - vector);
        ::gather(shape, item / shape.bundles, vector, count, chunk, chunks, parts, scratch[thread]);
    });
}

void Attention::merge(int item, int thread) const {
    find(*this, item, &Shape::merges, [&](const Shape &shape, int item, float *parts) {
        ::merge(shape, item / shape.vectors, item % shape.vectors, parts, scratch[thread]);
    });
}
