// The convolution of STSTNet with ReLU and pooling, forward and back, a row at a time.
//
// The 16 filters lie side by side in vectors, so every value of a picture meets all of them at once. Along a row the
// convolution is Winograd's F(2, 3) (Lavin and Gray, arXiv 1509.09308): two outputs from 4 products instead of 6.

#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
constexpr int LANES = 16, BLOCK = 15;  // BLOCK: tiles at a time, so that their sums and two operands fit the registers
#elif defined(__AVX__)
constexpr int LANES = 8, BLOCK = 5;
#else
constexpr int LANES = 4, BLOCK = 3;
#endif
constexpr int FILTERS = 16, PARTS = FILTERS / LANES, CHANNELS = 3, SIDE = 28, OUT = 30, TILES = OUT / 2, POOLED = 10,
              PLACES = POOLED * POOLED, TAPS = 3 * CHANNELS,  // (dy, channel); dx is in the transform
              LINE = 32, CLIP = SIDE * CHANNELS * LINE, TILED = 4 * 16;
typedef float V __attribute__((vector_size(4 * LANES)));
typedef int32_t I __attribute__((vector_size(4 * LANES)));
typedef float Row[FILTERS];  // a number for each filter

static V& at(float* row) { return *reinterpret_cast<V*>(row); }
static const V& at(const float* row) { return *reinterpret_cast<const V*>(row); }

// For what is used several times: left to itself GCC reads it again each time, and these loops wait for loads.
static inline V in_register(V v) {
#if defined(__x86_64__)
    asm("" : "+v"(v));
#endif
    return v;
}

struct Layer {  // what a step knows of convolution and norm
    alignas(64) Row u[4][TAPS], bias, mean, rstd, scale, beta, c1, c2;  // u: transformed kernel
    alignas(64) int32_t flip[FILTERS];  // the sign bit where gamma < 0: there the smallest output wins
};

// Normalises a clip, and lays out each row as its even, then its odd columns; zeros are the padding.
static void prepare(const float* clip, const float* mean, const float* std, float* out) {
    for (int c = 0; c < CHANNELS; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                out[(y * CHANNELS + c) * LINE + x % 2 * 16 + x / 2 + 1] = (*clip++ - mean[c]) / std[c];
}

// Winograd's transform of the input: [row][channel][4][16], a column for each tile (and one too many).
static void transform_clip(const float* clip, float* out) {
    for (int line = 0; line < SIDE * CHANNELS; line++, clip += LINE, out += TILED)
        for (int j = 0; j < 16; j++) {
            float a = clip[j], b = clip[16 + j], c = clip[j + 1], d = clip[17 + j];
            out[j] = a - c, out[16 + j] = b - d, out[32 + j] = b + c, out[48 + j] = c - b;
        }
}

// One row of convolution and ReLU. Never inlined: the row made for the gradient must have the same bits.
// The outputs of a tile are m0 + (m2 + m3) and m1 + (m2 - m3): the sums m0 and m1 start from what is in brackets.
__attribute__((noinline)) static void convolve_row(const float* x, int row, const Layer& layer, Row* y) {
    const int first = std::max(0, 2 - row) * CHANNELS, last = std::min(3, SIDE + 2 - row) * CHANNELS;
    x += (row - 2) * CHANNELS * TILED;
    for (int j = 0; j < TILES; j += BLOCK) {
        V m2[BLOCK][PARTS], m3[BLOCK][PARTS], sum[BLOCK][PARTS];
        auto accumulate = [&](int t) {
            for (int k = first; k < last; k++) {
                V w[PARTS];
                for (int p = 0; p < PARTS; p++) w[p] = in_register(at(layer.u[t][k] + p * LANES));
#pragma GCC unroll 16
                for (int b = 0; b < BLOCK; b++)
                    for (int p = 0; p < PARTS; p++) sum[b][p] += w[p] * x[k * TILED + t * 16 + j + b];
            }
        };
        auto each = [&](auto change) {
            for (int b = 0; b < BLOCK; b++)
                for (int p = 0; p < PARTS; p++) change(b, p, sum[b][p], y[2 * (j + b)] + p * LANES);
        };
        each([&](int, int p, V& v, float*) { v = at(layer.bias + p * LANES); });
        accumulate(2);
        each([&](int b, int p, V& v, float*) { m2[b][p] = v, v = V{}; });
        accumulate(3);
        each([&](int b, int p, V& v, float*) { m3[b][p] = v, v = m2[b][p] + v; });
        accumulate(0);
        each([&](int b, int p, V& v, float* out) { at(out) = 0 > v ? V{} : v, v = m2[b][p] - m3[b][p]; });
        accumulate(1);
        each([&](int, int, V& v, float* out) { at(out + FILTERS) = 0 > v ? V{} : v; });
    }
}

// Pools a clip and adds up its outputs and their squares, less `centre`, without which the variance would cancel.
static void pool_clip(const float* x, const Layer& layer, const Row& centre, Row* pooled, Row& sums, Row& squares) {
    alignas(64) Row y[OUT], spare[POOLED] = {};  // the last row and column are in no window
    std::fill(pooled[0], pooled[PLACES], -INFINITY);
    for (int row = 0; row < OUT; row++) {
        convolve_row(x, row, layer, y);
        Row* windows = row < OUT - 1 ? pooled + (row + 1) / 3 * POOLED : spare;
        for (int p = 0; p < FILTERS; p += LANES) {
            const V middle = at(centre + p);
            const I flip = *reinterpret_cast<const I*>(layer.flip + p);
            V sum[3] = {at(y[OUT - 1] + p) - middle}, square[3] = {sum[0] * sum[0]};  // 3: each waits for itself
            for (int w = 0; w < POOLED; w++) {
                V best = at(windows[w] + p);
                for (int i = 0, j = 3 * w - 1; i < 3; i++, j++) {
                    if (j < 0) continue;
                    V value = at(y[j] + p), d = value - middle;
                    value = (V)((I)value ^ flip);
                    best = value > best ? value : best;
                    sum[i] += d, square[i] += d * d;
                }
                at(windows[w] + p) = best;
            }
            at(sums + p) += sum[0] + sum[1] + sum[2], at(squares + p) += square[0] + square[1] + square[2];
        }
    }
    for (int z = 0; z < PLACES; z++)
        for (int p = 0; p < FILTERS; p += LANES)
            at(pooled[z] + p) = (V)((I)at(pooled[z] + p) ^ *reinterpret_cast<const I*>(layer.flip + p));
}

// Adds three rows to the gradient of the transformed kernel. 12 sums stay in registers, whatever the machine.
static void add_kernel_gradient(const float* x, int row, const Row (*d)[2][OUT], Row (*du)[4][CHANNELS]) {
    constexpr int T = 4 / PARTS, SUMS = T * CHANNELS * PARTS;
    for (int dy = 0; dy < 3; dy++)
        for (int t0 = 0; t0 < 4; t0 += T) {
            V sum[SUMS], *total = &at(du[dy][t0][0]);
            for (int i = 0; i < SUMS; i++) sum[i] = total[i];
            for (int r = 0; r < 3; r++) {
                int line = row + r + dy - 2;
                if (line < 0 || line >= SIDE) continue;
                const float* in = x + line * CHANNELS * TILED + t0 * 16;
                for (int j = 0; j < TILES; j++)
                    for (int t = 0; t < T; t++) {
                        const float* from = d[r][(t0 + t) / 2][2 * j + (t0 + t) % 2];
                        V a[PARTS];
                        for (int p = 0; p < PARTS; p++) a[p] = in_register(at(from + p * LANES));
                        for (int c = 0; c < CHANNELS; c++)
                            for (int p = 0; p < PARTS; p++)
                                sum[(t * CHANNELS + c) * PARTS + p] += a[p] * in[c * TILED + t * 16 + j];
                    }
            }
            for (int i = 0; i < SUMS; i++) total[i] = sum[i];
        }
}

// Back through pooling, norm, ReLU and convolution. The winner of a window is the first output that equals its value.
static void add_clip_gradient(const float* x, const Layer& layer, const Row* pooled, const Row* grads,
                              float* kernel_gradient, float* bias_gradient) {
    alignas(64) Row du[3][4][CHANNELS] = {}, bias = {}, y[OUT], d[3][2][OUT];  // d: gradients; their sums, differences
    alignas(64) const Row none[POOLED] = {};
    I taken[POOLED][PARTS];
    for (int row = 0; row < OUT; row++) {
        convolve_row(x, row, layer, y);
        if (row % 3 == 2 || row == 0) std::memset(taken, 0, sizeof taken);
        const Row* best = pooled + std::min((row + 1) / 3, POOLED - 1) * POOLED;
        const Row* grad = row < OUT - 1 ? grads + (row + 1) / 3 * POOLED : none;
        for (int p = 0; p < FILTERS; p += LANES) {
            const V mean = at(layer.mean + p), c1 = at(layer.c1 + p), c2 = at(layer.c2 + p);
            auto back = [&](int j, V v) {
                V value = at(y[j] + p);
                v += V{} - c1 - c2 * (value - mean);
                at(d[row % 3][0][j] + p) = value <= 0 ? V{} : v;
            };
            for (int w = 0; w < POOLED; w++) {
                const V winner = at(best[w] + p), g = at(grad[w] + p);
                I seen = taken[w][p / LANES];
                for (int j = 3 * w - 1; j < 3 * w + 2; j++) {
                    if (j < 0) continue;
                    I hit = (at(y[j] + p) == winner) & ~seen;
                    seen |= hit;
                    back(j, (V)(hit & (I)g));
                }
                taken[w][p / LANES] = seen;
            }
            back(OUT - 1, V{});
            for (int j = 0; j < OUT; j += 2) {
                V a = at(d[row % 3][0][j] + p), b = at(d[row % 3][0][j + 1] + p);
                at(d[row % 3][1][j] + p) = a + b, at(d[row % 3][1][j + 1] + p) = a - b;
                at(bias + p) += a + b;
            }
        }
        if (row % 3 == 2) add_kernel_gradient(x, row - 2, d, du);
    }
    for (int f = 0; f < FILTERS; f++) {
        for (int k = 0; k < TAPS; k++) {
            float u[4], *to = kernel_gradient + k * 3 * FILTERS + f;
            for (int t = 0; t < 4; t++) u[t] = du[k / CHANNELS][t][k % CHANNELS][f];
            to[0] += u[0] + (u[2] + u[3]) * 0.5f;
            to[FILTERS] += (u[2] - u[3]) * 0.5f;
            to[2 * FILTERS] += (u[2] + u[3]) * 0.5f - u[1];
        }
        bias_gradient[f] += bias[f];
    }
}
