/// The table of one instruction set. ops_<name>.c includes this after defining the instruction set
/// (vec.h) and the table's names, CELI_TABLE and CELI_TABLE_NAME.
#ifndef CELI_KERNELS_IMPL_H
#define CELI_KERNELS_IMPL_H
#include "ops/columns_impl.h"
#include "ops/dense_impl.h"
#include "ops/elementwise_impl.h"
#include "ops/math_impl.h"
#include "ops/policy_impl.h"
#include "ops/random_impl.h"
#include "ops/rows_impl.h"
#include "ops/tables.h"

#define CHAINS 16

static float burn(int64_t steps) {
  vf sum[CHAINS];
  for (int i = 0; i < CHAINS; i++)
    sum[i] = v_set1((float)(i + 3)); // not 2, which is a fixed point: the compiler could drop it
  const vf half = v_set1(0.5f), one = v_set1(1.0f);
  for (int64_t s = 0; s < steps; s++) {
    UNROLL
    for (int i = 0; i < CHAINS; i++) sum[i] = v_fma(sum[i], half, one);
  }
  for (int i = 1; i < CHAINS; i++) sum[0] = sum[0] + sum[i];
  return sum[0][0];
}

const CeliOps CELI_TABLE = {
    .name = CELI_TABLE_NAME,
    .burn = burn,
    .burn_flops = 2.0 * CHAINS * VW,
    .dense_forward = dense_forward,
    .dense_backward_data = dense_backward_data,
    .dense_backward_weight = dense_backward_weight,
    .activation_forward = activate_rows,
    .activation_backward = activation_backward,
    .transpose = transpose,
    .layer_norm_forward = layer_norm_forward,
    .layer_norm_backward = layer_norm_backward,
    .layer_norm_backward_gain = layer_norm_backward_gain,
    .columns_sum = columns_sum,
    .columns_square = columns_square,
    .columns_product = columns_product,
    .columns_affine = columns_affine,
    .columns_affine_backward = columns_affine_backward,
    .exp = map_exp,
    .log = map_log,
    .tanh = map_tanh,
    .sigmoid = map_sigmoid,
    .softplus = map_softplus,
    .fill = fill,
    .axpby = axpby,
    .clamp = clamp,
    .logsumexp = logsumexp,
    .log_softmax = log_softmax,
    .sum = reduce_sum,
    .sum_squares = reduce_sum_squares,
    .max = reduce_max,
    .all_finite = all_finite,
    .adam = adam,
    .polyak = polyak,
    .gather = gather,
    .normal = normal,
    .uniform = uniform,
    .uniform_index = uniform_index,
    .gaussian_sample = gaussian_sample,
    .gaussian_sample_backward = gaussian_sample_backward,
    .soft_target = soft_target,
    .squared_error = squared_error,
    .actor_objective = actor_objective,
    .quantile_huber = quantile_huber,
};

#endif
