/// The float32 batch kernels that everything learned is made of.
///
/// One table of functions an instruction set, filled from one source compiled several times; the
/// naive oracles (oracle.h) say what each must compute. Conventions:
/// - Arrays are row-major; `ld` is the distance between rows in elements, so that a view of some
///   columns (the action part of a critic's input) is a pointer and an ld.
/// - A kernel works on the rows (or elements, or tiles) [begin, end) that it is given: threads
///   split the work by calling it with different ranges. It never allocates and never waits.
/// - Every output element of a product is one chain of fused multiply-adds in rising k, starting
///   from the bias (or zero); reductions use a fixed virtual width of 16 lanes, folded in a fixed
///   order; exp, log, tanh and their kin are one polynomial on all paths. Hence the same bits on
///   all instruction sets and for any number of threads.
#ifndef CELI_OPS_H
#define CELI_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// GELU is z Phi(z) with the exact normal distribution function; leaky ReLU's slope is 0.01.
typedef enum CeliActivation {
  CELI_IDENTITY,
  CELI_RELU,
  CELI_TANH,
  CELI_SILU,
  CELI_GELU,
  CELI_LEAKY_RELU
} CeliActivation;
enum { CELI_ACTIVATIONS = CELI_LEAKY_RELU + 1 }; ///< how many there are

/// Adam's hyper-parameters and what changes from step to step; lies in a tensor (as floats and a
/// counter), advanced by adam_advance.
typedef struct CeliAdamStep {
  int64_t t;          ///< steps taken
  double beta1_power; ///< beta1^t, kept in double
  double beta2_power;
  double beta1,
      beta2; ///< double, since 1 - beta2 loses 4e-5 of its value when beta2 is rounded to float
  float learning_rate;
  float epsilon, weight_decay; ///< decoupled decay (AdamW); 0 is Adam
  float step_size;             ///< learning_rate / (1 - beta1^t)
  float inv_sqrt_bias2;        ///< 1 / sqrt(1 - beta2^t)
  float grad_scale;            ///< from clipping; 1 when it does not bite
} CeliAdamStep;

typedef struct CeliOps {
  const char *name; ///< "avx512", "avx2", "portable"
  /// Runs `steps` steps of 16 independent chains of FMAs on whole vectors and returns their sum; a
  /// step is burn_flops operations. For celi_ops_peak.
  float (*burn)(int64_t steps);
  double burn_flops;

  // ---- products. X (B,K) ldx, W (K,N) ldw = N, b (N,), Y (B,N) ldy.
  /// Y = act(X W + b) for rows [begin, end). Z (B,N) ldz receives the pre-activation when not NULL
  /// (the backward pass of SiLU and GELU needs it). b may be NULL.
  void (*dense_forward)(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, const float *X,
                        ptrdiff_t ldx, const float *W, const float *b, int64_t begin, int64_t end,
                        int64_t K, int64_t N, CeliActivation act);
  /// dX (B,K) = (dY (B,N) Wt (N,K)) * act'(.) for rows [begin, end), where act is the activation
  /// that produced this layer's input and A (B,K) lda is what its derivative is computed from: the
  /// activation's input (Z) for SiLU and GELU, its output for the others; ignored for identity.
  void (*dense_backward_data)(float *dX, ptrdiff_t lddx, const float *dY, ptrdiff_t lddy,
                              const float *Wt, const float *A, ptrdiff_t lda, int64_t begin,
                              int64_t end, int64_t K, int64_t N, CeliActivation act);
  /// dW (K,N) and db (N,): sums over all rows b = 0..B-1 in order; `more`: of rows that follow those
  /// whose sums are there, else overwriting. Work is cut into tiles of the output;
  /// celi_dense_tiles(K, N) says how many; the last one of each panel holds that part of db as well
  /// (db may be NULL).
  void (*dense_backward_weight)(float *dW, float *db, const float *X, ptrdiff_t ldx,
                                const float *dY, ptrdiff_t lddy, int64_t B, int64_t K, int64_t N,
                                int64_t tile_begin, int64_t tile_end, bool more);
  /// Y = act(Z) elementwise, rows [begin, end), N columns; Y may be Z.
  void (*activation_forward)(float *Y, ptrdiff_t ldy, const float *Z, ptrdiff_t ldz, int64_t begin,
                             int64_t end, int64_t N, CeliActivation act);
  /// dZ = dY * act'(A) elementwise, rows [begin, end), N columns.
  void (*activation_backward)(float *dZ, ptrdiff_t lddz, const float *dY, ptrdiff_t lddy,
                              const float *A, ptrdiff_t lda, int64_t begin, int64_t end, int64_t N,
                              CeliActivation act);
  /// Wt (N,K) = transpose of W (K,N), rows [begin, end) of Wt.
  void (*transpose)(float *Wt, const float *W, int64_t K, int64_t N, int64_t begin, int64_t end);
  /// Layer norm of rows: Y = act(g * (X - mean) / sqrt(var + eps) + b); stats (B,2) keeps mean and
  /// 1/sd.
  void (*layer_norm_forward)(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, float *stats,
                             const float *X, ptrdiff_t ldx, const float *g, const float *b,
                             float eps, int64_t begin, int64_t end, int64_t N, CeliActivation act);
  /// dX from dZ (already through the activation) for rows [begin, end).
  void (*layer_norm_backward)(float *dX, ptrdiff_t lddx, const float *dZ, ptrdiff_t lddz,
                              const float *X, ptrdiff_t ldx, const float *stats, const float *g,
                              int64_t begin, int64_t end, int64_t N);
  /// dg, db (N,) for columns [begin, end), summing rows in order; `more` as above.
  void (*layer_norm_backward_gain)(float *dg, float *db, const float *dZ, ptrdiff_t lddz,
                                   const float *X, ptrdiff_t ldx, const float *stats, int64_t B,
                                   int64_t begin, int64_t end, bool more);

  // ---- elementwise, n elements; y may be x.
  void (*exp)(float *y, const float *x, int64_t n);
  void (*log)(float *y, const float *x, int64_t n);
  void (*tanh)(float *y, const float *x, int64_t n);
  void (*sigmoid)(float *y, const float *x, int64_t n);
  void (*softplus)(float *y, const float *x, int64_t n); ///< log(1 + exp(x)), stable
  void (*fill)(float *y, float value, int64_t n);
  void (*axpby)(float *y, float a, const float *x, float b, int64_t n);      ///< y = a x + b y
  void (*clamp)(float *y, const float *x, float low, float high, int64_t n); ///< NaN stays NaN
  /// y (B,) = log sum_a exp(x[b,a]/alpha)*alpha of rows [begin, end); alpha > 0.
  void (*logsumexp)(float *y, const float *x, ptrdiff_t ldx, float alpha, int64_t begin,
                    int64_t end, int64_t N);
  /// log-softmax of rows: y[b,a] = x[b,a] - logsumexp(x[b,:]).
  void (*log_softmax)(float *y, ptrdiff_t ldy, const float *x, ptrdiff_t ldx, int64_t begin,
                      int64_t end, int64_t N);

  // ---- reductions over n elements, 16 virtual lanes.
  float (*sum)(const float *x, int64_t n);
  float (*sum_squares)(const float *x, int64_t n);
  float (*max)(const float *x, int64_t n); ///< NaN if any is NaN; -inf for n = 0
  bool (*all_finite)(const float *x, int64_t n);

  // ---- optimiser, elements [begin, end) of the region.
  void (*adam)(float *p, const float *g, float *m, float *v, const CeliAdamStep *step,
               int64_t begin, int64_t end);
  /// target = target + tau (p - target).
  void (*polyak)(float *target, const float *p, float tau, int64_t begin, int64_t end);

  // ---- data movement and noise.
  /// out[i, :] = src[index[i], :] for i in [begin, end), rows of `bytes` bytes; strides in bytes.
  void (*gather)(void *out, ptrdiff_t out_stride, const void *src, ptrdiff_t src_stride,
                 const int64_t *index, size_t bytes, int64_t begin, int64_t end);
  /// out[i] for i in [begin, end): standard normals; element i takes word i%4 of block counter +
  /// i/4 of the stream (seed, purpose, index), Box-Muller in pairs, so any cut gives the same
  /// numbers.
  void (*normal)(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                 int64_t begin, int64_t end);
  /// The same with uniforms on [0, 1), 24 bits.
  void (*uniform)(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                  int64_t begin, int64_t end);
  /// out[i] in [0, n): element i takes words (2i, 2i+1)%4 of block counter + i/2 as one 64-bit
  /// number, scaled by multiplication (bias below n/2^64, nil in practice).
  void (*uniform_index)(int64_t *out, int64_t n, uint64_t seed, uint32_t purpose, uint32_t index,
                        uint64_t counter, int64_t begin, int64_t end);

  // ---- diagonal Gaussians, rows [begin, end). mean (B,A) ldm, log_std (B,A) lds (lds = 0: one row
  // for all); eps (B,A) contiguous.
  /// u = mean + exp(log_std) eps; logp (B,) = sum_a log N(u; mean, sd). squash: action = tanh(u)
  /// and logp loses sum log(1 - tanh(u)^2), computed as 2 (log 2 - u - softplus(-2u)). u (B,A) may
  /// be NULL when squash is false. log_std arrives already clamped.
  void (*gaussian_sample)(float *action, ptrdiff_t lda, float *u, float *logp, const float *mean,
                          ptrdiff_t ldm, const float *log_std, ptrdiff_t lds, const float *eps,
                          int64_t begin, int64_t end, int64_t A, bool squash);
  /// Backward of gaussian_sample (reparametrised): d_mean, d_log_std (B,A) from d_action (B,A) ldda
  /// and d_logp (B,). d_log_std rows are written even where lds was 0 (reduce afterwards). When `lo
  /// < hi`, raw_log_std (B,A) ldr is the unclamped value and the gradient is zero outside of [lo,
  /// hi].
  void (*gaussian_sample_backward)(float *d_mean, ptrdiff_t lddm, float *d_log_std, ptrdiff_t ldds,
                                   const float *d_action, ptrdiff_t ldda, const float *d_logp,
                                   const float *action, ptrdiff_t lda, const float *log_std,
                                   ptrdiff_t lds, const float *eps, const float *raw_log_std,
                                   ptrdiff_t ldr, float lo, float hi, int64_t begin, int64_t end,
                                   int64_t A, bool squash);

  // ---- soft actor-critic's arithmetic on (E,B) critic values, rows [begin, end) of B; leading dim
  // B.
  /// y[b] = reward[b] + discount[b] (reduce_e Qn[e,b] - alpha logp[b]); reduce: min (mean when
  /// `mean`).
  void (*soft_target)(float *y, const float *reward, const float *discount, const float *Qn,
                      const float *logp, const float *alpha, int64_t E, int64_t B, int64_t begin,
                      int64_t end, bool mean);
  /// dQ[e,b] = scale (Q[e,b] - y[b]); loss[e,b] = 1/2 (Q - y)^2.
  void (*squared_error)(float *dQ, float *loss, const float *Q, const float *y, float scale,
                        int64_t E, int64_t B, int64_t begin, int64_t end);
  /// For the actor: q[b] = reduce_e Q[e,b]; dQ[e,b] = -scale on the minimum (ties: the first), or
  /// -scale/E when `mean`; loss[b] = alpha logp[b] - q[b].
  void (*actor_objective)(float *dQ, float *q, float *loss, const float *Q, const float *logp,
                          const float *alpha, float scale, int64_t E, int64_t B, int64_t begin,
                          int64_t end, bool mean);
} CeliOps;

/// The tiles that dense_backward_weight's output is cut into: panels of columns, and within a panel
/// blocks of rows. Neighbouring tiles of one call are done together.
#define CELI_TILE_ROWS 8
#define CELI_TILE_COLUMNS 64

/// How many output tiles dense_backward_weight cuts a (K,N) gradient into; the same on all
/// instruction sets.
int64_t celi_dense_tiles(int64_t K, int64_t N);

/// The table of the best instruction set of this machine, or of the one named by the environment
/// variable CELSIUS_ISA (avx512, avx2, portable). An unknown or unsupported name there falls to the
/// best one and celi_ops_note() says so. Chosen once, thread-safe.
const CeliOps *celi_ops(void);
/// NULL, or why CELSIUS_ISA was not followed.
const char *celi_ops_note(void);
/// Table i of those that this machine can run, best first; NULL past the end. For tests and
/// benchmarks.
const CeliOps *celi_ops_at(int i);

/// One step of Adam's counters (serial): t, bias corrections, from learning_rate and betas.
void celi_adam_advance(CeliAdamStep *step);

/// Peak FMA rate of one core in FLOP/s: independent FMA chains in registers, best of several runs
/// of about `seconds` in all. For benchmarks.
double celi_ops_peak(double seconds);

#endif
