/// What the fuzzers of formats of finite problems share.
#ifndef TESTS_FUZZ_MDP_H
#define TESTS_FUZZ_MDP_H
#include "mdp/formats/formats.h"
#include "support/load_options.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/// True for a long text, or one with a whole number of three digits or more that may be a size: a
/// few bytes of these formats may ask for more rows than a fuzzer has time for. Numbers too large
/// for any machine stay in.
static inline bool fuzz_is_large(const uint8_t *data, size_t size) {
  size_t digits = 0;
  bool fraction = false;
  for (size_t i = 0; i < size; i++) {
    const bool digit = data[i] >= '0' && data[i] <= '9';
    const bool end = i + 1 == size || data[i + 1] < '0' || data[i + 1] > '9';
    if (!digit) fraction = data[i] == '.';
    const bool leading = digits == 0 && data[i] == '0'; // leading zeros do not make a number larger
    digits = digit && !fraction && !leading ? digits + 1 : 0;
    if (end && digits >= 3 && digits < 17) return true;
  }
  return size > 600;
}

/// False where the text was refused, which must come with a message.
static inline bool fuzz_read(CelStatus status, const CelMdp *mdp) {
  if (status == CEL_OK) {
    if (cel_mdp_check(mdp) != CEL_OK) abort();
    return true;
  }
  if (mdp != NULL || cel_error()[0] == 0) abort();
  return false;
}

/// Load options with discount 0.9 and that reward model.
#define FUZZ_REWARD(name_) fuzz_reward((CelMdpLoadOptions[1]){{.discount = 0.9}}, name_)
static inline const CelMdpLoadOptions *fuzz_reward(CelMdpLoadOptions *options, const char *name) {
  *options = cel_mdp_load_options_default();
  options->discount = 0.9;
  strcpy(options->reward, name);
  return options;
}

/// Labels and reward models were kept. The writer may add the label "deadlock", and its rewards of
/// 0.
static inline void fuzz_compare_names(const CelMdp *mdp, const CelMdp *back) {
  if (mdp->reward_models != back->reward_models) abort();
  for (int64_t i = 0; i < mdp->labels; i++) {
    const CelMdpLabel *label;
    if (strcmp(mdp->label[i].name, "init") == 0) continue;
    if (cel_mdp_label_find(back, mdp->label[i].name, &label) != CEL_OK) abort();
    if (strcmp(label->name, "deadlock") == 0) continue;
    if (memcmp(label->in, mdp->label[i].in, (size_t)mdp->states) != 0) abort();
  }
  for (int64_t i = 0; i < mdp->reward_models; i++) {
    const CelMdpReward *a = &mdp->reward_model[i], *b = &back->reward_model[i];
    if (strcmp(a->name, b->name) != 0) abort();
    for (int64_t p = 0; p < mdp->pairs; p++)
      if ((a->pair ? a->pair[p] : 0) != (b->pair ? b->pair[p] : 0)) abort();
    for (int64_t t = 0; t < mdp->transitions; t++)
      if ((a->transition ? a->transition[t] : 0) != (b->transition ? b->transition[t] : 0)) abort();
  }
}

/// What was read back is what was written.
static inline void fuzz_compare(CelStatus status, const CelMdp *mdp, const CelMdp *back) {
  if (status != CEL_OK || cel_mdp_check(back) != CEL_OK) abort();
  if (mdp->states != back->states || mdp->pairs != back->pairs ||
      mdp->transitions != back->transitions || mdp->horizon != back->horizon) {
    abort();
  }
  for (int64_t t = 0; t < mdp->transitions; t++) {
    if (cel_mdp_next(mdp, t) != cel_mdp_next(back, t)) abort();
    if (fabs(mdp->probability[t] - back->probability[t]) > 1e-15) abort();
    if (mdp->reward_next && mdp->reward_next[t] != back->reward_next[t]) abort();
  }
}

#endif
