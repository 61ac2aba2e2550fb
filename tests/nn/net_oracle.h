/// An ensemble of networks in double, written for clarity: what the fast one is tested against.
#ifndef CELSIUS_NET_ORACLE_H
#define CELSIUS_NET_ORACLE_H
#include "nn/net.h"
#include "nn_test.h"

typedef struct Oracle {
  const CeliNet *net;
  int64_t B;
  bool train;
  const CeliDropout *dropout;
  uint32_t use;
  uint64_t counter;
  double *param[CELI_NODES_MAX][CELI_LAYER_PARAMS]; // NULL where a layer has none
  double *state[CELI_NODES_MAX][CELI_LAYER_PARAMS]; // running statistics
  double *renorm[CELI_NODES_MAX][2];                // r and d of batch renorm; NaN: not set yet
  double *X;                                        // (B,in)
  double *C;  // (E,B,out): the loss is sum C Y, so that C is the gradient at the output
  double *CH; // (E,B,latent) or NULL: the loss has sum CH H too, H the last hidden output
} Oracle;

static inline double *to_doubles(const float *x, int64_t n) {
  double *y = zeroed((size_t)n, sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
  return y;
}

/// Copies the parameters, the input and the output's gradient of a pass.
static inline void oracle_create(Oracle *o, const CeliPass *pass) {
  const CeliNet *net = pass->net;
  const int64_t E = net->E, B = pass->B;
  memset(o, 0, sizeof *o);
  o->net = net, o->B = B, o->train = pass->train;
  o->dropout = pass->dropout, o->use = pass->dropout_use;
  o->counter = pass->dropout ? *pass->dropout->counter : 0;
  for (int l = 0; l < net->n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      const CeliNode *node = &net->node[l];
      if (node->param[k]) o->param[l][k] = to_doubles(node->param[k], E * celi_param_size(node, k));
      if (node->state[k]) o->state[l][k] = to_doubles(node->state[k], E * node->out);
      if (node->steps) o->renorm[l][k] = to_doubles(node->state[k], E * node->out);
      for (int64_t i = 0; node->steps && i < E * node->out; i++) o->renorm[l][k][i] = NAN;
    }
  o->X = zeroed((size_t)(B * net->in), sizeof(double));
  for (int64_t b = 0; b < B; b++)
    for (int64_t i = 0; i < net->in; i++)
      o->X[b * net->in + i] = (double)pass->X[b * pass->ldx + i];
  o->C = to_doubles(celi_pass_d_output(pass), E * B * net->out);
  if (pass->dH) o->CH = to_doubles(pass->dH, E * B * celi_net_latent_width(net));
}

static inline void oracle_destroy(Oracle *o) {
  for (int l = 0; l < o->net->n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      free(o->param[l][k]), free(o->state[l][k]), free(o->renorm[l][k]);
  free(o->X), free(o->C), free(o->CH);
}

static inline double oracle_activate(double z, CeliActivation act) {
  switch (act) {
  case CELI_RELU: return z > 0 ? z : 0;
  case CELI_TANH: return tanh(z);
  case CELI_SILU: return z / (1 + exp(-z));
  case CELI_GELU: return z * 0.5 * erfc(-z / sqrt(2));
  case CELI_LEAKY_RELU: return z > 0 ? z : 0.01 * z;
  case CELI_IDENTITY: break;
  }
  return z;
}

static inline void oracle_dense(const Oracle *o, int l, int64_t e, double *z, const double *x) {
  const int64_t K = o->net->node[l].in, N = o->net->node[l].out;
  for (int64_t b = 0; b < o->B; b++)
    for (int64_t n = 0; n < N; n++) {
      z[b * N + n] = o->param[l][1][e * N + n];
      for (int64_t k = 0; k < K; k++)
        z[b * N + n] += x[b * K + k] * o->param[l][0][(e * K + k) * N + n];
    }
}

/// Normalizes `count` numbers `step` apart.
static inline void oracle_normalize(double *z, const double *x, int64_t count, int64_t step,
                                    double epsilon) {
  double mean = 0, var = 0;
  for (int64_t i = 0; i < count; i++) mean += x[i * step] / (double)count;
  for (int64_t i = 0; i < count; i++)
    var += (x[i * step] - mean) * (x[i * step] - mean) / (double)count;
  for (int64_t i = 0; i < count; i++) z[i * step] = (x[i * step] - mean) / sqrt(var + epsilon);
}

static inline double oracle_limit(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

/// r and d of column n. Differences hold them constant, so only the first evaluation sets them.
static inline void oracle_renorm(const Oracle *o, int l, int64_t e, int64_t n, const double *x) {
  const CeliNode *node = &o->net->node[l];
  const int64_t N = node->out, at = e * N + n;
  double mean = 0, var = 0;
  if (!isnan(o->renorm[l][0][at])) return;
  for (int64_t b = 0; b < o->B; b++) mean += x[b * N] / (double)o->B;
  for (int64_t b = 0; b < o->B; b++) var += (x[b * N] - mean) * (x[b * N] - mean) / (double)o->B;
  const double running = sqrt(o->state[l][1][at] + node->layer.epsilon);
  const bool warm = node->layer.warmup < 0;
  o->renorm[l][0][at] =
      warm ? oracle_limit(sqrt(var + node->layer.epsilon) / running, 1 / 3., 3) : 1;
  o->renorm[l][1][at] = warm ? oracle_limit((mean - o->state[l][0][at]) / running, -5, 5) : 0;
}

static inline void oracle_rms(const Oracle *o, int l, int64_t e, double *z, const double *x) {
  const int64_t N = o->net->node[l].out;
  for (int64_t b = 0; b < o->B; b++) {
    double square = 0;
    for (int64_t n = 0; n < N; n++) square += x[b * N + n] * x[b * N + n] / (double)N;
    for (int64_t n = 0; n < N; n++)
      z[b * N + n] =
          o->param[l][0][e * N + n] * x[b * N + n] / sqrt(square + o->net->node[l].layer.epsilon);
  }
}

static inline void oracle_norm(const Oracle *o, int l, int64_t e, double *z, const double *x) {
  const CeliNode *node = &o->net->node[l];
  const int64_t N = node->out;
  const bool renorm = node->layer.kind == &celi_batch_renorm;
  const bool batch = renorm || node->layer.kind == &celi_batch_norm;
  const double epsilon = node->layer.epsilon;
  if (node->layer.kind == &celi_rms_norm) {
    oracle_rms(o, l, e, z, x);
    return;
  }
  for (int64_t b = 0; !batch && b < o->B; b++)
    oracle_normalize(z + b * N, x + b * N, N, 1, epsilon);
  for (int64_t n = 0; renorm && o->train && n < N; n++) oracle_renorm(o, l, e, n, x + n);
  for (int64_t n = 0; batch && o->train && n < N; n++)
    oracle_normalize(z + n, x + n, o->B, N, epsilon);
  for (int64_t i = 0; batch && !o->train && i < o->B * N; i++)
    z[i] = (x[i] - o->state[l][0][e * N + i % N]) / sqrt(o->state[l][1][e * N + i % N] + epsilon);
  for (int64_t i = 0; renorm && o->train && i < o->B * N; i++)
    z[i] = o->renorm[l][0][e * N + i % N] * z[i] + o->renorm[l][1][e * N + i % N];
  for (int64_t i = 0; i < o->B * N; i++)
    z[i] = o->param[l][0][e * N + i % N] * z[i] + o->param[l][1][e * N + i % N];
}

static inline void oracle_drop(const Oracle *o, int l, int64_t e, double *z, const double *x) {
  const CeliNode *node = &o->net->node[l];
  const int64_t N = node->out, row = (N + 3) / 4 * 4;
  float *u = zeroed((size_t)(o->net->E * o->B * row), sizeof *u);
  if (o->dropout)
    celi_ops()->uniform(u, o->dropout->seed, CEL_RNG_DROPOUT, o->use * CELI_NODES_MAX + (uint32_t)l,
                        o->counter, 0, o->net->E * o->B * row);
  for (int64_t i = 0; i < o->B * N; i++) {
    const double rate = o->dropout ? node->layer.rate : 0;
    const bool dropped = (double)u[(e * o->B + i / N) * row + i % N] < (double)(float)rate;
    z[i] = dropped ? 0 : x[i] / (1 - rate);
  }
  free(u);
}

/// The output of member e into y (B,out); `hidden` (B,latent) receives the last hidden output when
/// not NULL.
static inline void oracle_member(const Oracle *o, int64_t e, double *y, double *hidden) {
  const CeliNet *net = o->net;
  double *out[CELI_NODES_MAX];
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    const int64_t size = o->B * node->out;
    const double *x = l ? out[l - 1] : o->X;
    double *z = out[l] = zeroed((size_t)size, sizeof *z);
    if (hidden && l == net->n - 1) memcpy(hidden, x, (size_t)(o->B * node->in) * sizeof *x);
    if (node->layer.kind == &celi_dense)
      oracle_dense(o, l, e, z, x);
    else if (node->layer.kind == &celi_activation || node->layer.kind->adds ||
             node->layer.kind == &celi_dropout)
      memcpy(z, x, (size_t)size * sizeof *z);
    else
      oracle_norm(o, l, e, z, x);
    if (node->layer.kind == &celi_dropout) oracle_drop(o, l, e, z, x);
    for (int64_t i = 0; node->layer.kind->adds && i < size; i++) z[i] += out[node->skip][i];
    for (int64_t i = 0; i < size; i++) z[i] = oracle_activate(z[i], node->act);
  }
  memcpy(y, out[net->n - 1], (size_t)(o->B * net->out) * sizeof *y);
  for (int l = 0; l < net->n; l++) free(out[l]);
}

static inline double oracle_loss(const Oracle *o) {
  const CeliNet *net = o->net;
  const int64_t N = o->B * net->out, H = o->B * celi_net_latent_width(net);
  double *y = zeroed((size_t)N, sizeof *y), *hidden = zeroed((size_t)H, sizeof *hidden), loss = 0;
  for (int64_t e = 0; e < net->E; e++) {
    oracle_member(o, e, y, hidden);
    for (int64_t i = 0; i < N; i++) loss += o->C[e * N + i] * y[i];
    for (int64_t i = 0; o->CH && i < H; i++) loss += o->CH[e * H + i] * hidden[i];
  }
  free(y), free(hidden);
  return loss;
}

/// Central difference of the loss in one number.
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
