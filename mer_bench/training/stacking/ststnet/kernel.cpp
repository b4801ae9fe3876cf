// Trains one fold of STSTNet (Liong et al., FG 2019, arXiv 1902.03634) with activations that never leave the cache:
// PyTorch writes and reads the 900 x 16 outputs of the convolution several times a clip and step; here a row of them
// is made, used and forgotten, and made again for the gradient. The arithmetic is that of models/baselines/ststnet.py
// with FlatHead, cross-entropy and torch.optim.Adam; the interface is in kernel.py. NaN stays NaN.

#include "kernel.h"

#include <new>
#include <vector>

constexpr int FEATURES = 25 * FILTERS, MAX_CLASSES = 64;
constexpr float EPSILON = 1e-5f, MOMENTUM = 0.1f;  // of nn.BatchNorm2d
constexpr uint32_t GOLDEN = 0x9E3779B9;            // of clip_random.py

struct Parameters {  // where things are in the row of all weights; gradients and moments have the same places
    float *kernel, *bias, *gamma, *beta, *fc, *fc_bias;  // kernel: [dy][channel][dx][16]; fc: [class][cell][16]
    int count;
    Parameters(float* all, int classes)
        : kernel(all), bias(kernel + 27 * FILTERS), gamma(bias + FILTERS), beta(gamma + FILTERS), fc(beta + FILTERS),
          fc_bias(fc + classes * FEATURES), count(int(fc_bias - all) + classes) {}
};

static void transform_weights(const Parameters& net, Layer& layer) {
    for (int f = 0; f < FILTERS; f++) {
        for (int k = 0; k < TAPS; k++) {
            const float *g = net.kernel + k * 3 * FILTERS + f, a = g[0], b = g[FILTERS], c = g[2 * FILTERS];
            layer.u[0][k][f] = a, layer.u[1][k][f] = -c;
            layer.u[2][k][f] = (a + b + c) * 0.5f, layer.u[3][k][f] = (a - b + c) * 0.5f;
        }
        layer.bias[f] = net.bias[f], layer.beta[f] = net.beta[f], layer.flip[f] = net.gamma[f] < 0 ? INT32_MIN : 0;
    }
}

static uint32_t mix(uint32_t a) {  // lowbias32, as in clip_random.py
    a = (a ^ a >> 16) * 0x7FEB352Du, a = (a ^ a >> 15) * 0x846CA68Bu;
    return a ^ a >> 16;
}

struct Trainer {
    const int32_t *labels, *keys, *places;  // places: first place of each filter in the draws of its stream
    const float* class_weight;
    int classes, threshold;  // a value stays where the upper 24 bits of its word reach the threshold
    float kept;              // what it is multiplied with then
    Parameters net, gradient;
    float* running;
    std::vector<float> clips;
    std::vector<V> pooled, grads;  // all that is kept of a batch: 2 x 6 KB a clip
    Layer layer;
    double sums[FILTERS], squares[FILTERS];
    int right;  // clips of a step
    alignas(64) float x[SIDE * CHANNELS * TILED];

    Row* place(std::vector<V>& all, int i) { return reinterpret_cast<Row*>(&all[size_t(i) * PLACES * PARTS]); }
    const float* transformed(int clip) { return transform_clip(&clips[size_t(clip) * CLIP], x), x; }

    // Convolution and pooling of a batch, the statistics of the norm, and what they do to the running ones.
    void forward(const int32_t* batch, int size) {
        alignas(64) Row centre = {}, sum = {}, square = {};
        std::fill_n(sums, FILTERS, 0), std::fill_n(squares, FILTERS, 0);
        pool_clip(transformed(batch[0]), layer, centre, place(pooled, 0), sum, square);
        for (int f = 0; f < FILTERS; f++) centre[f] = sum[f] / (OUT * OUT);  // anything near the mean serves
        for (int i = 0; i < size; i++) {
            std::fill_n(sum, FILTERS, 0.0f), std::fill_n(square, FILTERS, 0.0f);
            pool_clip(transformed(batch[i]), layer, centre, place(pooled, i), sum, square);
            for (int f = 0; f < FILTERS; f++) sums[f] += sum[f], squares[f] += square[f];
        }
        double count = double(size) * OUT * OUT;
        for (int f = 0; f < FILTERS; f++) {
            double offset = sums[f] / count, variance = std::max(squares[f] / count - offset * offset, 0.0);
            layer.mean[f] = centre[f] + offset, layer.rstd[f] = 1 / std::sqrt(variance + EPSILON);
            layer.scale[f] = net.gamma[f] * layer.rstd[f];
            running[f] += MOMENTUM * (layer.mean[f] - running[f]);
            running[FILTERS + f] += MOMENTUM * (float(variance * count / (count - 1)) - running[FILTERS + f]);
        }
    }

    // From the pooled values of a clip to its loss, and back to what enters the gradient of the convolution.
    double classify(const int32_t* salts, int32_t key, int label, float weight, const Row* values, Row* grads) {
        alignas(64) Row keep[PLACES], db = {}, dg = {};
        alignas(64) float features[FEATURES] = {}, errors[FEATURES] = {}, logits[MAX_CLASSES] = {}, total = 0;
        const Layer norm = layer;  // a copy, which no pointer can change
        const float stays = kept / 4;
        uint32_t words[FILTERS];
        for (int f = 0; f < FILTERS; f++) words[f] = mix(uint32_t(key ^ salts[f])) + places[f] * GOLDEN;
        for (int z = 0; z < PLACES; z++) {
            float* cell = features + (z / 20 * 5 + z % 10 / 2) * FILTERS;  // of four places
            for (int f = 0; f < FILTERS; f++) {
                keep[z][f] = int(mix(words[f] + z * GOLDEN) >> 8) >= threshold ? stays : 0;
                cell[f] += ((values[z][f] - norm.mean[f]) * norm.scale[f] + norm.beta[f]) * keep[z][f];
            }
        }
        for (int o = 0; o < classes; o++) {
            Row sum = {};
            for (int i = 0; i < FEATURES; i += FILTERS)
                for (int f = 0; f < FILTERS; f++) sum[f] += features[i + f] * net.fc[o * FEATURES + i + f];
            logits[o] = net.fc_bias[o];
            for (float part : sum) logits[o] += part;
        }
        float top = *std::max_element(logits, logits + classes), own = logits[label] - top;
        right += own == 0;
        for (int o = 0; o < classes; o++) total += logits[o] = std::exp(logits[o] - top);
        for (int o = 0; o < classes; o++) {
            float error = weight * (logits[o] / total - (o == label));
            gradient.fc_bias[o] += error;
            for (int i = 0; i < FEATURES; i++) errors[i] += net.fc[o * FEATURES + i] * error;
            for (int i = 0; i < FEATURES; i++) gradient.fc[o * FEATURES + i] += features[i] * error;
        }
        for (int z = 0; z < PLACES; z++) {
            const float* cell = errors + (z / 20 * 5 + z % 10 / 2) * FILTERS;
            for (int f = 0; f < FILTERS; f++) {
                float grad = cell[f] * keep[z][f];
                db[f] += grad, dg[f] += grad * ((values[z][f] - norm.mean[f]) * norm.rstd[f]);
                grads[z][f] = grad * norm.scale[f];
            }
        }
        for (int f = 0; f < FILTERS; f++) sums[f] += db[f], squares[f] += dg[f];
        return weight * (std::log(total) - own);
    }

    double step(const int32_t* batch, int size, const int32_t* salts) {
        double count = double(size) * OUT * OUT, loss = 0, weights = 0;
        right = 0;
        transform_weights(net, layer);
        forward(batch, size);
        std::fill_n(gradient.kernel, gradient.count, 0.0f);
        std::fill_n(sums, FILTERS, 0), std::fill_n(squares, FILTERS, 0);  // now of the gradients of the norm
        for (int i = 0; i < size; i++) weights += class_weight[labels[batch[i]]];
        for (int i = 0; i < size; i++) {
            int clip = batch[i], label = labels[clip];
            float weight = class_weight[label] / weights;
            loss += classify(salts, keys[clip], label, weight, place(pooled, i), place(grads, i));
        }
        for (int f = 0; f < FILTERS; f++) {
            gradient.beta[f] = sums[f], gradient.gamma[f] = squares[f];
            layer.c1[f] = layer.scale[f] * sums[f] / count;
            layer.c2[f] = layer.scale[f] * layer.rstd[f] * squares[f] / count;
        }
        for (int i = 0; i < size; i++)
            add_clip_gradient(transformed(batch[i]), layer, place(pooled, i), place(grads, i), gradient.kernel,
                              gradient.bias);
        return loss;
    }
};

struct Adam {
    double lr, beta1, beta2, eps, weight_decay;
    void step(float* w, const float* g, float* m, float* v, int count, int64_t steps) const {
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

// clips (count, 3, 28, 28); norms (2, 3): mean, deviation; orders (epochs, length); salts (epochs, 16); places (16);
// weights and moments as in Parameters; running (2, 16): mean, variance; losses, and how many clips were right (epochs, steps
// of an epoch).
// Returns 0, or 1 where memory ran out before anything was changed.
extern "C" int ststnet_train(const float* clips, const int32_t* labels, const int32_t* keys, int64_t count,
                             const float* norms, const int32_t* orders, int epochs, int length, int size, int classes,
                             const float* class_weight, const int32_t* salts, const int32_t* places, int threshold,
                             float kept, float* weights, float* exp_avg, float* exp_avg_sq, float* running,
                             int64_t steps, double lr, double beta1, double beta2, double eps, double weight_decay,
                             float* losses, int32_t* right) try {
    const Adam adam{lr, beta1, beta2, eps, weight_decay};
    const Parameters net(weights, classes);
    std::vector<float> gradient(net.count), prepared(count * CLIP + 1);
    for (int64_t i = 0; i < count; i++)
        prepare(clips + i * CHANNELS * SIDE * SIDE, norms, norms + CHANNELS, &prepared[i * CLIP]);
    std::vector<V> pooled(size_t(size) * PLACES * PARTS), grads(pooled);
    Trainer trainer{labels, keys, places, class_weight, classes, threshold, kept, net, {gradient.data(), classes},
                    running, std::move(prepared), std::move(pooled), std::move(grads), {}, {}, {}, 0, {}};
    for (int epoch = 0; epoch < epochs; epoch++, orders += length, salts += FILTERS)
        for (int first = 0; first < length; first += size) {
            *losses++ = trainer.step(orders + first, std::min(size, length - first), salts);
            *right++ = trainer.right;
            adam.step(weights, gradient.data(), exp_avg, exp_avg_sq, net.count, ++steps);
        }
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}
