/// Initial parameters of a network.
///
/// Kaiming-uniform, as in PyTorch's Linear: weights and biases are uniform on +-1/sqrt(fan_in).
///
/// Xavier: weights are uniform on +-sqrt(6/(fan_in + fan_out)), biases zero.
///
/// Orthogonal: a matrix of normals, orthonormalized along its shorter side, times the gain; biases
/// zero. Gram-Schmidt makes R's diagonal positive, so that the result is uniform over orthonormal
/// frames. It runs twice, in place: the second pass removes the error of cancellation in the first.
/// Source: He et al., 2015; Glorot and Bengio, 2010; Saxe et al., 2013.
#include "nn/net.h"

#include <math.h>

/// Columns that one pass of Gram-Schmidt projects.
enum { SWEEP = 256 };

static void draw_uniform(float *x, int64_t n, double bound, CelRng *rng) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)cel_rng_range(rng, -bound, bound);
}

/// Makes the columns (K,N) after column j orthogonal to it.
static void project_columns(float *W, int64_t K, int64_t N, int64_t j) {
  for (int64_t begin = j + 1; begin < N; begin += SWEEP) {
    const int64_t n = N - begin < SWEEP ? N - begin : SWEEP;
    double dot[SWEEP] = {0};
    for (int64_t k = 0; k < K; k++) {
      const double q = (double)W[k * N + j];
      const float *w = W + k * N + begin;
      for (int64_t i = 0; i < n; i++) dot[i] += q * (double)w[i];
    }
    for (int64_t k = 0; k < K; k++) {
      const double q = (double)W[k * N + j];
      float *w = W + k * N + begin;
      for (int64_t i = 0; i < n; i++) w[i] = (float)((double)w[i] - q * dot[i]);
    }
  }
}

static void orthonormalize_columns(float *W, int64_t K, int64_t N) {
  for (int64_t j = 0; j < N; j++) {
    double square = 0;
    for (int64_t k = 0; k < K; k++) square += (double)W[k * N + j] * (double)W[k * N + j];
    const double scale = 1 / sqrt(square);
    for (int64_t k = 0; k < K; k++) W[k * N + j] = (float)((double)W[k * N + j] * scale);
    project_columns(W, K, N, j);
  }
}

static double dot_rows(const float *a, const float *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void orthonormalize_rows(float *W, int64_t K, int64_t N) {
  for (int64_t k = 0; k < K; k++) {
    float *w = W + k * N;
    for (int64_t j = 0; j < k; j++) {
      const double dot = dot_rows(w, W + j * N, N);
      for (int64_t i = 0; i < N; i++) w[i] = (float)((double)w[i] - dot * (double)W[j * N + i]);
    }
    const double scale = 1 / sqrt(dot_rows(w, w, N));
    for (int64_t i = 0; i < N; i++) w[i] = (float)((double)w[i] * scale);
  }
}

static void draw_orthogonal(float *W, int64_t K, int64_t N, double gain, CelRng *rng) {
  celi_ops()->normal(W, rng->seed, rng->purpose, rng->index, rng->counter, 0, K * N);
  rng->counter += (uint64_t)(K * N + 3) / 4;
  for (int pass = 0; pass < 2; pass++) {
    if (K >= N)
      orthonormalize_columns(W, K, N);
    else
      orthonormalize_rows(W, K, N);
  }
  for (int64_t i = 0; i < K * N; i++) W[i] = (float)((double)W[i] * gain);
}

void celi_init_weights(float *W, float *b, int64_t K, int64_t N, CeliInit init, double gain,
                       CelRng *rng) {
  const double factor = gain != 0 ? gain : 1;
  switch (init) {
  case CELI_KAIMING_UNIFORM:
    draw_uniform(W, K * N, factor / sqrt((double)K), rng);
    draw_uniform(b, N, factor / sqrt((double)K), rng);
    return;
  case CELI_ORTHOGONAL: draw_orthogonal(W, K, N, gain != 0 ? gain : sqrt(2.0), rng); break;
  case CELI_XAVIER_UNIFORM: draw_uniform(W, K * N, factor * sqrt(6 / (double)(K + N)), rng); break;
  }
  celi_ops()->fill(b, 0.0f, N);
}

void celi_net_init(CeliNet *net, uint64_t seed, uint32_t first_index) {
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    for (int64_t e = 0; node->layer.kind->init && e < net->E; e++) {
      const int64_t index = (int64_t)node->index * net->E + e; // only dense layers draw from this
                                                               // stream
      CelRng rng = cel_rng(seed, CEL_RNG_INIT, first_index + (uint32_t)index);
      node->layer.kind->init(node, e, net->init, &rng);
    }
  }
  celi_net_weight_norm(net);
}
