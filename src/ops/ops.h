/// The float32 batch kernels of all learners.
///
/// There is one table of functions per instruction set. All tables come from one source, compiled
/// several times. The naive versions (oracle.h) define what each kernel computes. Conventions:
/// - Arrays are row-major. `ld` is the distance between rows, in elements. A view of some columns
///   (the actions in a critic's input) is a pointer and an ld.
/// - A kernel works on the rows (or elements, or tiles) [begin, end). Threads split the work by
///   calling it with different ranges. It never allocates and never waits.
/// - The bits are the same on all instruction sets and for any number of threads. Every output of a
///   product is one chain of fused multiply-adds in increasing k, starting from the bias (or zero).
///   Reductions use 16 virtual lanes, folded in a fixed order. exp, log, tanh and similar functions
///   are the same polynomial everywhere.
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
enum { CELI_ACTIVATIONS = CELI_LEAKY_RELU + 1 }; ///< number of activations
/// Columns that the kernels by column take at a time.
enum { CELI_COLUMNS = 16 };

/// Adam's hyperparameters and the values that change with each step. It is stored in a tensor.
/// celi_adam_advance advances it.
typedef struct CeliAdamStep {
  int64_t t;          ///< steps taken
  double beta1_power; ///< beta1^t
  double beta2_power;
  double beta1,
      beta2; ///< double: rounding beta2 to float changes 1 - beta2 by a factor of 4e-5
  float learning_rate;
  float epsilon, weight_decay; ///< decoupled decay (AdamW); 0 is Adam
  float step_size;             ///< learning_rate / (1 - beta1^t)
  float inv_sqrt_bias2;        ///< 1 / sqrt(1 - beta2^t)
  float grad_scale;            ///< factor from gradient clipping; 1 if nothing is clipped
} CeliAdamStep;

typedef struct CeliOps {
  const char *name; ///< "avx512", "avx2", "portable"
  /// Runs `steps` steps of 16 independent chains of FMAs on whole vectors and returns their sum. A
  /// step is burn_flops operations. For celi_ops_peak.
  float (*burn)(int64_t steps);
  double burn_flops;

  // ---- products. X (B,K) ldx, W (K,N) ldw = N, b (N,), Y (B,N) ldy.
  /// Y = act(X W + b) for rows [begin, end). Z (B,N) ldz receives the pre-activation when not NULL
  /// (the backward pass of SiLU and GELU needs it). b may be NULL.
  void (*dense_forward)(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, const float *X,
                        ptrdiff_t ldx, const float *W, const float *b, int64_t begin, int64_t end,
                        int64_t K, int64_t N, CeliActivation act);
  /// dX (B,K) = (dY (B,N) Wt (N,K)) * act'(.) for rows [begin, end). `act` is the activation that
  /// produced this layer's input. A (B,K) lda holds the values that act' is computed from: the
  /// activation's input (Z) for SiLU and GELU, its output for the others. The identity ignores A.
  void (*dense_backward_data)(float *dX, ptrdiff_t lddx, const float *dY, ptrdiff_t lddy,
                              const float *Wt, const float *A, ptrdiff_t lda, int64_t begin,
                              int64_t end, int64_t K, int64_t N, CeliActivation act);
  /// dW (K,N) and db (N,): sums over all rows b = 0..B-1 in order. With `more`, the sums continue
  /// from the values in dW and db; otherwise these are overwritten. The output is split into
  /// celi_dense_tiles(K, N) tiles. The last tile of each panel also computes its part of db. db may
  /// be NULL.
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
  /// Layer norm of rows: Y = act(g * (X - mean) / sqrt(var + eps) + b). stats (B,2) receives mean
  /// and 1/sd.
  void (*layer_norm_forward)(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, float *stats,
                             const float *X, ptrdiff_t ldx, const float *g, const float *b,
                             float eps, int64_t begin, int64_t end, int64_t N, CeliActivation act);
  /// dX for rows [begin, end). dZ is the gradient at the activation's input.
  void (*layer_norm_backward)(float *dX, ptrdiff_t lddx, const float *dZ, ptrdiff_t lddz,
                              const float *X, ptrdiff_t ldx, const float *stats, const float *g,
                              int64_t begin, int64_t end, int64_t N);
  /// dg, db (N,) for columns [begin, end), summed over rows in order; `more` as above.
  void (*layer_norm_backward_gain)(float *dg, float *db, const float *dZ, ptrdiff_t lddz,
                                   const float *X, ptrdiff_t ldx, const float *stats, int64_t B,
                                   int64_t begin, int64_t end, bool more);

  // ---- n <= CELI_COLUMNS columns of rows [begin, end), in double. Each column is a chain of its
  // own over the rows in order, so that calls with more rows continue it.
  /// sum[k] += x[b,k]
  void (*columns_sum)(double *sum, const float *x, ptrdiff_t ldx, int64_t begin, int64_t end,
                      int64_t n);
  /// square[k] += (x[b,k] - mean[k])^2
  void (*columns_square)(double *square, const float *x, ptrdiff_t ldx, const double *mean,
                         int64_t begin, int64_t end, int64_t n);
  /// sum[k] += dz[b,k];  product[k] += dz[b,k] (x[b,k] - mean[k]) inv_sd[k]
  void (*columns_product)(double *sum, double *product, const float *dz, ptrdiff_t lddz,
                          const float *x, ptrdiff_t ldx, const double *mean, const double *inv_sd,
                          int64_t begin, int64_t end, int64_t n);
  /// y[b,k] = gain[k] xh + shift[k],  xh = (x[b,k] - mean[k]) inv_sd[k]
  void (*columns_affine)(float *y, ptrdiff_t ldy, const float *x, ptrdiff_t ldx, const double *mean,
                         const double *inv_sd, const double *gain, const double *shift,
                         int64_t begin, int64_t end, int64_t n);
  /// dx[b,k] = factor[k] (dz[b,k] - (sum[k] + xh product[k]))
  void (*columns_affine_backward)(float *dx, ptrdiff_t lddx, const float *dz, ptrdiff_t lddz,
                                  const float *x, ptrdiff_t ldx, const double *mean,
                                  const double *inv_sd, const double *factor, const double *sum,
                                  const double *product, int64_t begin, int64_t end, int64_t n);

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

  // ---- reductions over n elements with 16 virtual lanes.
  float (*sum)(const float *x, int64_t n);
  float (*sum_squares)(const float *x, int64_t n);
  float (*max)(const float *x, int64_t n); ///< NaN if any is NaN; -inf for n = 0
  bool (*all_finite)(const float *x, int64_t n);

  // ---- optimizer, elements [begin, end).
  void (*adam)(float *p, const float *g, float *m, float *v, const CeliAdamStep *step,
               int64_t begin, int64_t end);
  /// target = target + tau (p - target).
  void (*polyak)(float *target, const float *p, float tau, int64_t begin, int64_t end);

  // ---- data movement and noise.
  /// out[i, :] = src[index[i], :] for i in [begin, end), rows of `bytes` bytes; strides in bytes.
  void (*gather)(void *out, ptrdiff_t out_stride, const void *src, ptrdiff_t src_stride,
                 const int64_t *index, size_t bytes, int64_t begin, int64_t end);
  /// Standard normals out[i] for i in [begin, end). Element i uses word i%4 of block counter + i/4
  /// of the stream (seed, purpose, index), by Box-Muller in pairs. Any split gives the same
  /// numbers.
  void (*normal)(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                 int64_t begin, int64_t end);
  /// The same for uniforms on [0, 1) with 24 bits.
  void (*uniform)(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                  int64_t begin, int64_t end);
  /// out[i] in [0, n). Element i uses words (2i, 2i+1)%4 of block counter + i/2 as one 64-bit
  /// number, scaled by multiplication. The bias is below n/2^64.
  void (*uniform_index)(int64_t *out, int64_t n, uint64_t seed, uint32_t purpose, uint32_t index,
                        uint64_t counter, int64_t begin, int64_t end);

  // ---- diagonal Gaussians, rows [begin, end). mean (B,A) ldm, log_std (B,A) lds (lds = 0: one row
  // for all rows of the batch), eps (B,A) contiguous.
  /// u = mean + exp(log_std) eps; logp (B,) = sum_a log N(u; mean, sd). With `squash`, action =
  /// tanh(u) and sum log(1 - tanh(u)^2) is subtracted from logp, computed as 2 (log 2 - u -
  /// softplus(-2u)). u (B,A) may be NULL if `squash` is false. log_std must be clamped already.
  void (*gaussian_sample)(float *action, ptrdiff_t lda, float *u, float *logp, const float *mean,
                          ptrdiff_t ldm, const float *log_std, ptrdiff_t lds, const float *eps,
                          int64_t begin, int64_t end, int64_t A, bool squash);
  /// Backward pass of gaussian_sample (reparameterized): d_mean, d_log_std (B,A) from d_action
  /// (B,A) ldda and d_logp (B,). Rows of d_log_std are written even if lds was 0; the caller sums
  /// them. If lo < hi, raw_log_std (B,A) ldr is the unclamped value, and the gradient is 0 outside
  /// of [lo, hi].
  void (*gaussian_sample_backward)(float *d_mean, ptrdiff_t lddm, float *d_log_std, ptrdiff_t ldds,
                                   const float *d_action, ptrdiff_t ldda, const float *d_logp,
                                   const float *action, ptrdiff_t lda, const float *log_std,
                                   ptrdiff_t lds, const float *eps, const float *raw_log_std,
                                   ptrdiff_t ldr, float lo, float hi, int64_t begin, int64_t end,
                                   int64_t A, bool squash);

  // ---- losses of soft actor-critic on critic values (E,B), for rows [begin, end) of B.
  /// y[b] = reward[b] + discount[b] (reduce_e Qn[e,b] - alpha logp[b]). reduce is min, or the mean
  /// with `mean`.
  void (*soft_target)(float *y, const float *reward, const float *discount, const float *Qn,
                      const float *logp, const float *alpha, int64_t E, int64_t B, int64_t begin,
                      int64_t end, bool mean);
  /// dQ[e,b] = scale (Q[e,b] - y[b]); loss[e,b] = 1/2 (Q - y)^2.
  void (*squared_error)(float *dQ, float *loss, const float *Q, const float *y, float scale,
                        int64_t E, int64_t B, int64_t begin, int64_t end);
  /// For the actor: q[b] = reduce_e Q[e,b]; loss[b] = alpha logp[b] - q[b]. dQ[e,b] = -scale at the
  /// minimum (the first one of equals), or -scale/E with `mean`.
  void (*actor_objective)(float *dQ, float *q, float *loss, const float *Q, const float *logp,
                          const float *alpha, float scale, int64_t E, int64_t B, int64_t begin,
                          int64_t end, bool mean);
  /// Quantile Huber loss of M quantiles Z (B,M) against K targets y (B,K), with
  /// tau_j = (2 j + 1) / (2 M), delta_ij = y_i - Z_j, H the Huber loss with threshold 1:
  ///   loss[b] = 1/(M K) sum_ij |tau_j - 1[delta_ij < 0]| H(delta_ij)
  ///   dZ[b,j] = scale d loss[b] / d Z_j
  /// Source: Dabney et al., "Distributional reinforcement learning with quantile regression", 2018.
  void (*quantile_huber)(float *dZ, float *loss, const float *Z, const float *y, float scale,
                         int64_t M, int64_t K, int64_t begin, int64_t end);
} CeliOps;

/// Tiles of dense_backward_weight's output: panels of columns, divided into blocks of rows.
/// Neighboring tiles of one call are computed together.
#define CELI_TILE_ROWS 8
#define CELI_TILE_COLUMNS 64

/// Number of output tiles of dense_backward_weight for a (K,N) gradient. The same on all
/// instruction sets.
int64_t celi_dense_tiles(int64_t K, int64_t N);

/// The table of the best instruction set of this machine. The environment variable CELSIUS_ISA
/// (avx512, avx2, portable) selects another one. If that is unknown or unsupported, the best one is
/// used, and celi_ops_note() says so. Selected once, thread-safe.
const CeliOps *celi_ops(void);
/// Why CELSIUS_ISA was not followed, or NULL.
const char *celi_ops_note(void);
/// Table i of those that this machine can run, best first. NULL past the end. For tests and
/// benchmarks.
const CeliOps *celi_ops_at(int i);

/// Advances Adam's counter and bias corrections by one step (serial).
void celi_adam_advance(CeliAdamStep *step);

/// Peak FMA rate of one core in FLOP/s: the best of several runs of independent FMA chains, about
/// `seconds` in total. For benchmarks.
double celi_ops_peak(double seconds);

#endif
