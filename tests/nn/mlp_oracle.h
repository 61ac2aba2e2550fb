/// A simple ensemble of MLPs in double, the oracle for the fast one.
#ifndef CELSIUS_MLP_ORACLE_H
#define CELSIUS_MLP_ORACLE_H
#include "nn/mlp.h"
#include "nn_test.h"

typedef struct Oracle {
  const CeliMlp *net;
  int64_t B;
  double *W[CELI_LAYERS_MAX], *b[CELI_LAYERS_MAX], *g[CELI_LAYERS_MAX], *h[CELI_LAYERS_MAX];
  double *X;  // (B,in)
  double *C;  // (E,B,out) the loss is sum C Y, so C is the gradient at the output
  double *CH; // (E,B,width[L-1]) or NULL: adds sum CH H to the loss, H the last hidden output
} Oracle;

static inline double *to_doubles(const float *x, int64_t n) {
  double *y = zeroed((size_t)n, sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
  return y;
}

/// Copies the parameters, the input and the output's gradient of a pass.
static inline void oracle_create(Oracle *o, const CeliMlpPass *pass) {
  const CeliMlp *net = pass->net;
  const int64_t E = net->spec.E, B = pass->B;
  memset(o, 0, sizeof *o);
  o->net = net, o->B = B;
  for (int l = 0; l < net->L; l++) {
    const int64_t K = net->width[l], N = net->width[l + 1];
    o->W[l] = to_doubles(net->W[l], E * K * N);
    o->b[l] = to_doubles(net->b[l], E * N);
    if (net->g[l] == NULL) continue;
    o->g[l] = to_doubles(net->g[l], E * N);
    o->h[l] = to_doubles(net->h[l], E * N);
  }
  o->X = zeroed((size_t)(B * net->width[0]), sizeof(double));
  for (int64_t b = 0; b < B; b++)
    for (int64_t i = 0; i < net->width[0]; i++)
      o->X[b * net->width[0] + i] = (double)pass->X[b * pass->ldx + i];
  o->C = to_doubles(pass->dY[net->L - 1], E * B * net->width[net->L]);
  if (pass->dH) o->CH = to_doubles(pass->dH, E * B * net->width[net->L - 1]);
}

static inline void oracle_destroy(Oracle *o) {
  for (int l = 0; l < o->net->L; l++) free(o->W[l]), free(o->b[l]), free(o->g[l]), free(o->h[l]);
  free(o->X), free(o->C), free(o->CH);
}

static inline double oracle_activate(double z, CeliActivation act) {
  switch (act) {
  case CELI_RELU: return z > 0 ? z : 0;
  case CELI_TANH: return tanh(z);
  case CELI_SILU: return z / (1 + exp(-z));
  case CELI_IDENTITY: break;
  }
  return z;
}

static inline void oracle_norm(double *z, const double *g, const double *h, int64_t N) {
  double mean = 0, var = 0;
  for (int64_t n = 0; n < N; n++) mean += z[n] / (double)N;
  for (int64_t n = 0; n < N; n++) var += (z[n] - mean) * (z[n] - mean) / (double)N;
  for (int64_t n = 0; n < N; n++) z[n] = g[n] * (z[n] - mean) / sqrt(var + 1e-5) + h[n];
}

/// Writes the output of member e for row b to y (out,), and the last hidden output to `hidden`
/// (width[L-1],) unless it is NULL.
static inline void oracle_row(const Oracle *o, int64_t e, int64_t b, double *y, double *hidden) {
  enum { WIDEST = 512 };
  const CeliMlp *net = o->net;
  double x[WIDEST], z[WIDEST];
  memcpy(x, o->X + b * net->width[0], (size_t)net->width[0] * sizeof *x);
  for (int l = 0; l < net->L; l++) {
    const int64_t K = net->width[l], N = net->width[l + 1];
    if (hidden && l == net->L - 1) memcpy(hidden, x, (size_t)K * sizeof *x);
    for (int64_t n = 0; n < N; n++) {
      z[n] = o->b[l][e * N + n];
      for (int64_t k = 0; k < K; k++) z[n] += x[k] * o->W[l][(e * K + k) * N + n];
    }
    if (o->g[l]) oracle_norm(z, o->g[l] + e * N, o->h[l] + e * N, N);
    for (int64_t n = 0; n < N; n++)
      x[n] = oracle_activate(z[n], l < net->L - 1 ? net->spec.activation : CELI_IDENTITY);
  }
  memcpy(y, x, (size_t)net->width[net->L] * sizeof *x);
}

static inline double oracle_loss(const Oracle *o) {
  const CeliMlp *net = o->net;
  const int64_t N = net->width[net->L], H = net->width[net->L - 1];
  double y[512], hidden[512], loss = 0;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int64_t b = 0; b < o->B; b++) {
      oracle_row(o, e, b, y, hidden);
      for (int64_t n = 0; n < N; n++) loss += o->C[(e * o->B + b) * N + n] * y[n];
      for (int64_t n = 0; o->CH && n < H; n++) loss += o->CH[(e * o->B + b) * H + n] * hidden[n];
    }
  return loss;
}

/// Central difference of the loss in one parameter or input.
static inline double oracle_difference(const Oracle *o, double *at) {
  const double h = 1e-6, x = *at;
  *at = x + h;
  const double above = oracle_loss(o);
  *at = x - h;
  const double below = oracle_loss(o);
  *at = x;
  return (above - below) / (2 * h);
}

#endif
