// Trains one fold of STSTNet (Liong et al., FG 2019, arXiv 1902.03634) without a picture of activations ever leaving
// the cache: PyTorch writes and reads the 900 x 16 outputs of the convolution several times a clip and step, here a
// row of them is made, used and forgotten, and made again for the gradient. The arithmetic is that of
// models/baselines/ststnet.py with FlatHead, cross-entropy and torch.optim.Adam; ststnet_kernel.py has the interface.
//
// The 16 filters lie side by side in vectors, so every value of the picture meets all of them at once. Along a row
// the convolution is Winograd's F(2, 3) (Lavin and Gray, arXiv 1509.09308): two outputs from 4 products instead of 6.
// No flag of "fast math": NaN must stay NaN.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX512F__)
constexpr int LANES = 16, BLOCK = 15;  // BLOCK: tiles at a time, so that their sums and two operands fit the registers
#elif defined(__AVX__)
constexpr int LANES = 8, BLOCK = 5;
#else
constexpr int LANES = 4, BLOCK = 3;
#endif

constexpr int FILTERS = 16, PARTS = FILTERS / LANES, CHANNELS = 3, SIDE = 28, OUT = 30, TILES = OUT / 2, POOLED = 10,
              PLACES = POOLED * POOLED, CELLS = 25, TAPS = 3 * CHANNELS,  // (dy, channel); dx is in the transform
              LINE = 32, CLIP = SIDE * CHANNELS * LINE, MAX_CLASSES = 64;
constexpr float EPSILON = 1e-5f, MOMENTUM = 0.1f;  // of nn.BatchNorm2d
typedef float V __attribute__((vector_size(4 * LANES)));
typedef int32_t I __attribute__((vector_size(4 * LANES)));
typedef uint32_t U __attribute__((vector_size(4 * LANES)));

// Used several times: left to itself GCC reads it from memory each time, and loads are what this loop waits for.
static inline V in_register(V v) {
#if defined(__x86_64__)
    asm("" : "+v"(v));
#endif
    return v;
}
static V load(const float* from) { V v; std::memcpy(&v, from, sizeof v); return v; }
static void store(float* to, V v) { std::memcpy(to, &v, sizeof v); }

struct Parameters {  // views of one row of numbers: weights, gradients and moments have the same places
    float *kernel, *bias, *gamma, *beta, *fc, *fc_bias;  // kernel: [dy][channel][dx][16]; fc: [class][cell][16]
    int count;
    Parameters(float* all, int classes)
        : kernel(all), bias(kernel + 27 * FILTERS), gamma(bias + FILTERS), beta(gamma + FILTERS), fc(beta + FILTERS),
          fc_bias(fc + classes * CELLS * FILTERS), count(int(fc_bias - all) + classes) {}
};

struct Layer {  // what a step knows of convolution and norm; pooling takes the largest y, or the smallest if flipped
    V u[4][TAPS][PARTS], bias[PARTS], mean[PARTS], rstd[PARTS], scale[PARTS], shift[PARTS], c1[PARTS], c2[PARTS];
    I flip[PARTS];
};

struct Sums {  // over a batch, in double precision
    double first[FILTERS] = {}, second[FILTERS] = {};
    void add(const V* a, const V* b) {
        for (int f = 0; f < FILTERS; f++) first[f] += a[f / LANES][f % LANES], second[f] += b[f / LANES][f % LANES];
    }
};

struct Dropout {
    const int32_t *salts, *places;  // of each filter: salt of its stream, its first place in the stream
    int threshold;                  // a value stays where the upper 24 bits of its word reach it
    float scale;
};

// Normalises a clip, and lays out each row as its even, then its odd columns: zeros are the padding.
static void prepare(const float* clip, const float* mean, const float* std, float* out) {
    for (int y = 0; y < SIDE; y++)
        for (int c = 0; c < CHANNELS; c++)
            for (int x = 0; x < SIDE; x++)
                out[(y * CHANNELS + c) * LINE + x % 2 * 16 + 1 + x / 2] =
                    (clip[(c * SIDE + y) * SIDE + x] - mean[c]) / std[c];
}

// Input side of Winograd's transform: [row][channel][4][16], one column a tile (the last is padding of the layout).
static void transform_clip(const float* clip, float* out) {
    for (int line = 0; line < SIDE * CHANNELS; line++, clip += LINE, out += 64)
        for (int j = 0; j < 16; j++) {
            float a = clip[j], b = clip[16 + j], c = clip[j + 1], d = clip[17 + j];
            out[j] = a - c, out[16 + j] = b - d, out[32 + j] = b + c, out[48 + j] = c - b;
        }
}

static void transform_weights(const Parameters& net, Layer& layer) {
    for (int k = 0; k < TAPS; k++)
        for (int p = 0; p < PARTS; p++) {
            const float* g = net.kernel + k * 3 * FILTERS + p * LANES;
            V a = load(g), b = load(g + FILTERS), c = load(g + 2 * FILTERS);
            layer.u[0][k][p] = a, layer.u[1][k][p] = -c;
            layer.u[2][k][p] = (a + b + c) * 0.5f, layer.u[3][k][p] = (a - b + c) * 0.5f;
        }
    for (int p = 0; p < PARTS; p++) layer.bias[p] = load(net.bias + p * LANES);
}

// One row of convolution and ReLU: y[30]. Never inlined: the row made for the gradient must have the same bits.
// The outputs of a tile are m0 + (m2 + m3) and m1 + (m2 - m3): the sums m0 and m1 start from what is in brackets.
__attribute__((noinline)) static void convolve_row(const float* x, int row, const Layer& layer, V (*y)[PARTS]) {
    const int first = std::max(0, 2 - row) * CHANNELS, last = std::min(3, SIDE + 2 - row) * CHANNELS;  // the rest is padding
    x += (row - 2) * CHANNELS * 64;
    for (int j = 0; j < TILES; j += BLOCK) {
        V m2[BLOCK][PARTS], m3[BLOCK][PARTS], sum[BLOCK][PARTS];
        auto accumulate = [&](int t) {
            for (int k = first; k < last; k++) {
                V w[PARTS];
                for (int p = 0; p < PARTS; p++) w[p] = in_register(layer.u[t][k][p]);
#pragma GCC unroll 16
                for (int b = 0; b < BLOCK; b++)
                    for (int p = 0; p < PARTS; p++) sum[b][p] += w[p] * x[k * 64 + t * 16 + j + b];
            }
        };
        auto each = [&](auto change) {
            for (int b = 0; b < BLOCK; b++)
                for (int p = 0; p < PARTS; p++) change(b, p, sum[b][p]);
        };
        each([&](int, int p, V& v) { v = layer.bias[p]; });
        accumulate(2);
        each([&](int b, int p, V& v) { m2[b][p] = v, v = V{}; });
        accumulate(3);
        each([&](int b, int p, V& v) { m3[b][p] = v, v = m2[b][p] + v; });
        accumulate(0);
        each([&](int b, int p, V& v) { y[2 * (j + b)][p] = 0 > v ? V{} : v, v = m2[b][p] - m3[b][p]; });
        accumulate(1);
        each([&](int b, int p, V& v) { y[2 * (j + b) + 1][p] = 0 > v ? V{} : v; });
    }
}

// Pools a clip and adds up its outputs and their squares, less `centre`, without which the variance would cancel.
static void pool_clip(const float* x, const Layer& layer, const V* centre, V (*pooled)[PARTS], V* sums, V* squares) {
    std::fill(&pooled[0][0], &pooled[PLACES][0], V{} - INFINITY);
    V y[OUT][PARTS], spare[POOLED][PARTS] = {};  // the last row and column are in no window
    for (int row = 0; row < OUT; row++) {
        convolve_row(x, row, layer, y);
        V(*windows)[PARTS] = row < OUT - 1 ? pooled + (row + 1) / 3 * POOLED : spare;
        for (int p = 0; p < PARTS; p++) {
            const V middle = centre[p];
            V sum[3] = {y[OUT - 1][p] - middle}, square[3] = {sum[0] * sum[0]};  // 3 chains, since an addition takes time
            for (int w = 0; w < POOLED; w++) {
                V best = windows[w][p];
                for (int i = 0, j = 3 * w - 1; i < 3; i++, j++) {
                    if (j < 0) continue;
                    V value = (V)((I)y[j][p] ^ layer.flip[p]), d = y[j][p] - middle;
                    best = value > best ? value : best;
                    sum[i] += d, square[i] += d * d;
                }
                windows[w][p] = best;
            }
            sums[p] += sum[0] + sum[1] + sum[2], squares[p] += square[0] + square[1] + square[2];
        }
    }
}

// lowbias32, as in clip_random.py
static U mix(U a) {
    a = (a ^ a >> 16) * 0x7FEB352Du, a = (a ^ a >> 15) * 0x846CA68Bu;
    return a ^ a >> 16;
}

// From pooled values to the loss, and back to their gradients (times the scale of the norm), which `grads` receives.
static double classify(const Parameters& net, const Parameters& gradient, int classes, const Layer& layer,
                       const Dropout& dropout, int32_t key, int label, float weight, V (*pooled)[PARTS],
                       V (*grads)[PARTS], Sums& norm) {
    V keep[PLACES][PARTS], cells[CELLS][PARTS], db[PARTS] = {}, dg[PARTS] = {};
    float logits[MAX_CLASSES] = {}, total = 0;
    for (int p = 0; p < PARTS; p++) {
        U word, places;
        std::memcpy(&word, dropout.salts + p * LANES, sizeof word);
        std::memcpy(&places, dropout.places + p * LANES, sizeof places);
        word = mix(word ^ (uint32_t)key) + places * 0x9E3779B9u;
        for (int z = 0; z < PLACES; z++, word += 0x9E3779B9u)
            keep[z][p] = (I)(mix(word) >> 8) >= dropout.threshold ? V{} + dropout.scale / 4 : V{};
        for (int cell = 0; cell < CELLS; cell++) {
            V sum{};
            for (int i = 0; i < 4; i++) {
                int z = (cell / 5 * 2 + i / 2) * POOLED + cell % 5 * 2 + i % 2;
                pooled[z][p] = (V)((I)pooled[z][p] ^ layer.flip[p]);
                sum += ((pooled[z][p] - layer.mean[p]) * layer.scale[p] + layer.shift[p]) * keep[z][p];
            }
            cells[cell][p] = sum;
        }
    }
    for (int o = 0; o < classes; o++) {
        V sum{};
        for (int cell = 0; cell < CELLS; cell++)
            for (int p = 0; p < PARTS; p++) sum += cells[cell][p] * load(net.fc + (o * CELLS + cell) * FILTERS + p * LANES);
        logits[o] = net.fc_bias[o];
        for (int lane = 0; lane < LANES; lane++) logits[o] += sum[lane];
    }
    float top = *std::max_element(logits, logits + classes), own = logits[label] - top;
    for (int o = 0; o < classes; o++) total += logits[o] = std::exp(logits[o] - top);
    for (int o = 0; o < classes; o++) {
        logits[o] = weight * (logits[o] / total - (o == label));
        gradient.fc_bias[o] += logits[o];
        for (int cell = 0; cell < CELLS; cell++)
            for (int p = 0; p < PARTS; p++) {
                float* to = gradient.fc + (o * CELLS + cell) * FILTERS + p * LANES;
                store(to, load(to) + cells[cell][p] * logits[o]);
            }
    }
    for (int cell = 0; cell < CELLS; cell++)
        for (int p = 0; p < PARTS; p++) {
            V d{};
            for (int o = 0; o < classes; o++) d += load(net.fc + (o * CELLS + cell) * FILTERS + p * LANES) * logits[o];
            for (int i = 0; i < 4; i++) {
                int z = (cell / 5 * 2 + i / 2) * POOLED + cell % 5 * 2 + i % 2;
                V grad = d * keep[z][p];
                db[p] += grad, dg[p] += grad * ((pooled[z][p] - layer.mean[p]) * layer.rstd[p]);
                grads[z][p] = grad * layer.scale[p];
            }
        }
    norm.add(db, dg);
    return weight * (std::log(total) - own);
}

// Adds three rows to the gradient of the transformed kernel; 12 sums stay in registers on every machine.
static void add_kernel_gradient(const float* x, int row, const V (*d)[2][OUT][PARTS], V (*du)[4][CHANNELS][PARTS]) {
    constexpr int T = 4 / PARTS, SUMS = T * CHANNELS * PARTS;
    for (int dy = 0; dy < 3; dy++)
        for (int t0 = 0; t0 < 4; t0 += T) {
            V sum[SUMS], *total = du[dy][t0][0];
            for (int i = 0; i < SUMS; i++) sum[i] = total[i];
            for (int r = 0; r < 3; r++) {
                int line = row + r + dy - 2;
                if (line < 0 || line >= SIDE) continue;
                const float* in = x + line * CHANNELS * 64 + t0 * 16;
                for (int j = 0; j < TILES; j++)
                    for (int t = 0; t < T; t++) {
                        V a[PARTS];
                        for (int p = 0; p < PARTS; p++) a[p] = in_register(d[r][(t0 + t) / 2][2 * j + (t0 + t) % 2][p]);
                        for (int c = 0; c < CHANNELS; c++)
                            for (int p = 0; p < PARTS; p++)
                                sum[(t * CHANNELS + c) * PARTS + p] += a[p] * in[(c * 4 + t) * 16 + j];
                    }
            }
            for (int i = 0; i < SUMS; i++) total[i] = sum[i];
        }
}

// Back through pooling, norm, ReLU and convolution. The winner of a window is the first output that equals its value.
static void add_clip_gradient(const float* x, const Layer& layer, const V (*pooled)[PARTS], const V (*grads)[PARTS],
                              const Parameters& gradient) {
    V du[3][4][CHANNELS][PARTS] = {}, bias[PARTS] = {}, d[3][2][OUT][PARTS], y[OUT][PARTS];
    const V none[POOLED][PARTS] = {};
    I taken[POOLED][PARTS];
    for (int row = 0; row < OUT; row++) {
        convolve_row(x, row, layer, y);
        if (row % 3 == 2 || row == 0) std::memset(taken, 0, sizeof taken);
        const V(*best)[PARTS] = pooled + std::min((row + 1) / 3, POOLED - 1) * POOLED;
        const V(*grad)[PARTS] = row < OUT - 1 ? grads + (row + 1) / 3 * POOLED : none;
        for (int p = 0; p < PARTS; p++) {
            const V mean = layer.mean[p], c1 = layer.c1[p], c2 = layer.c2[p];
            auto back = [&](int j, V v) {
                V value = y[j][p];
                v += V{} - c1 - c2 * (value - mean);
                d[row % 3][0][j][p] = value <= 0 ? V{} : v;
            };
            for (int w = 0; w < POOLED; w++) {
                const V winner = best[w][p], g = grad[w][p];
                I seen = taken[w][p];
                for (int j = 3 * w - 1; j < 3 * w + 2; j++) {
                    if (j < 0) continue;
                    I hit = (y[j][p] == winner) & ~seen;
                    seen |= hit;
                    back(j, (V)(hit & (I)g));
                }
                taken[w][p] = seen;
            }
            back(OUT - 1, V{});  // the last column is in no window
            for (int j = 0; j < OUT; j += 2) {
                V a = d[row % 3][0][j][p], b = d[row % 3][0][j + 1][p];
                d[row % 3][1][j][p] = a + b, d[row % 3][1][j + 1][p] = a - b;
                bias[p] += a + b;
            }
        }
        if (row % 3 == 2) add_kernel_gradient(x, row - 2, d, du);
    }
    for (int k = 0; k < TAPS; k++)
        for (int p = 0; p < PARTS; p++) {
            const V* u = &du[k / CHANNELS][0][k % CHANNELS][p];
            float* to = gradient.kernel + k * 3 * FILTERS + p * LANES;
            constexpr int T = CHANNELS * PARTS;  // from one part of the transform to the next
            V half = (u[2 * T] + u[3 * T]) * 0.5f;
            store(to, load(to) + u[0] + half);
            store(to + FILTERS, load(to + FILTERS) + (u[2 * T] - u[3 * T]) * 0.5f);
            store(to + 2 * FILTERS, load(to + 2 * FILTERS) + half - u[T]);
        }
    for (int p = 0; p < PARTS; p++) store(gradient.bias + p * LANES, load(gradient.bias + p * LANES) + bias[p]);
}

struct Adam {
    double lr, beta1, beta2, eps, weight_decay;
    void step(float* w, float* g, float* m, float* v, int count, int64_t steps) const {
        float rate = lr / (1 - std::pow(beta1, steps)), correction = std::sqrt(1 - std::pow(beta2, steps));
        float a = 1 - beta1, b = beta2, c = 1 - beta2, e = eps, decay = weight_decay;
        for (int i = 0; i < count; i++) {
            float grad = g[i] + decay * w[i];
            m[i] += a * (grad - m[i]);
            v[i] = b * v[i] + c * grad * grad;
            w[i] -= rate * m[i] / (std::sqrt(v[i]) / correction + e);
        }
    }
};

// Finishes the sums of the outputs of a batch: what the norm does to them, and its running statistics.
static void set_norm(const Parameters& net, const Sums& sums, const V* centre, double count, float* running, Layer& layer) {
    for (int f = 0; f < FILTERS; f++) {
        int p = f / LANES, lane = f % LANES;
        double offset = sums.first[f] / count, mean = centre[p][lane] + offset;
        double variance = std::max(sums.second[f] / count - offset * offset, 0.0);
        running[f] += MOMENTUM * (float(mean) - running[f]);
        running[FILTERS + f] += MOMENTUM * (float(variance * count / (count - 1)) - running[FILTERS + f]);
        layer.mean[p][lane] = mean;
        layer.rstd[p][lane] = 1 / std::sqrt(variance + EPSILON);
    }
    for (int p = 0; p < PARTS; p++) {
        layer.scale[p] = load(net.gamma + p * LANES) * layer.rstd[p];
        layer.shift[p] = load(net.beta + p * LANES);
    }
}

// Where nothing of a batch is kept but what pooling left (6 KB a clip) and its gradient.
struct Trainer {
    const int32_t *labels, *keys;
    const float* class_weight;
    int classes;
    std::vector<float> clips;
    std::vector<V> pooled, grads;
    alignas(64) float x[SIDE * CHANNELS * 64];

    auto place(std::vector<V>& all, int i) { return reinterpret_cast<V(*)[PARTS]>(&all[i * PLACES * PARTS]); }
    const float* transformed(int clip) { return transform_clip(&clips[size_t(clip) * CLIP], x), x; }

    double step(const int32_t* batch, int size, const Dropout& dropout, const Parameters& net, const Parameters& gradient,
                float* running) {
        Layer layer;
        Sums outputs, norm;
        V centre[PARTS] = {}, sums[PARTS] = {}, squares[PARTS] = {};
        double count = 900.0 * size, loss = 0, weights = 0;
        transform_weights(net, layer);
        for (int p = 0; p < PARTS; p++) layer.flip[p] = load(net.gamma + p * LANES) < 0 ? I{} + INT32_MIN : I{};
        pool_clip(transformed(batch[0]), layer, centre, place(pooled, 0), sums, squares);
        for (int p = 0; p < PARTS; p++) centre[p] = sums[p] / 900.0f;  // any value near the mean serves
        for (int i = 0; i < size; i++) {
            std::memset(sums, 0, sizeof sums), std::memset(squares, 0, sizeof squares);
            pool_clip(transformed(batch[i]), layer, centre, place(pooled, i), sums, squares);
            outputs.add(sums, squares);
            weights += class_weight[labels[batch[i]]];
        }
        set_norm(net, outputs, centre, count, running, layer);
        for (int i = 0; i < size; i++) {
            int label = labels[batch[i]];
            loss += classify(net, gradient, classes, layer, dropout, keys[batch[i]], label,
                             float(class_weight[label] / weights), place(pooled, i), place(grads, i), norm);
        }
        for (int f = 0; f < FILTERS; f++) {
            int p = f / LANES, lane = f % LANES;
            gradient.beta[f] = norm.first[f], gradient.gamma[f] = norm.second[f];
            layer.c1[p][lane] = layer.scale[p][lane] * norm.first[f] / count;
            layer.c2[p][lane] = layer.scale[p][lane] * layer.rstd[p][lane] * norm.second[f] / count;
        }
        for (int i = 0; i < size; i++)
            add_clip_gradient(transformed(batch[i]), layer, place(pooled, i), place(grads, i), gradient);
        return loss;
    }
};

// clips (count, 3, 28, 28); orders (epochs, length); salts (epochs, 16); places (16,); weights and moments as in
// Parameters; running (2, 16): mean, variance; losses (epochs, steps an epoch).
extern "C" void ststnet_train(const float* clips, const int32_t* labels, const int32_t* keys, int64_t count, const float* normalisation, const int32_t* orders, int epochs, int length,
                              int batch_size, int classes, const float* class_weight, const int32_t* salts,
                              const int32_t* places, int threshold, float scale, float* weights, float* exp_avg,
                              float* exp_avg_sq, float* running, int64_t steps, double lr, double beta1, double beta2,
                              double eps, double weight_decay, float* losses) {
    const Adam adam{lr, beta1, beta2, eps, weight_decay};
    const Parameters net(weights, classes);
    std::vector<float> sums(net.count);
    Trainer trainer{labels, keys, class_weight, classes, std::vector<float>(count * CLIP + 1),
                    std::vector<V>(size_t(batch_size) * PLACES * PARTS), std::vector<V>(size_t(batch_size) * PLACES * PARTS)};
    for (int64_t i = 0; i < count; i++) prepare(clips + i * CHANNELS * SIDE * SIDE, normalisation, normalisation + CHANNELS, &trainer.clips[i * CLIP]);
    for (int epoch = 0; epoch < epochs; epoch++)
        for (int at = 0; at < length; at += batch_size) {
            std::fill(sums.begin(), sums.end(), 0.0f);
            const Dropout dropout{salts + epoch * FILTERS, places, threshold, scale};
            *losses++ = trainer.step(orders + int64_t(epoch) * length + at, std::min(batch_size, length - at), dropout, net,
                                     Parameters(sums.data(), classes), running);
            adam.step(weights, sums.data(), exp_avg, exp_avg_sq, net.count, ++steps);
        }
}
