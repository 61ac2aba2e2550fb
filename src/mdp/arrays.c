/// Problems from arrays in memory: one call instead of one per transition. Contract: celsius/mdp.h.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/mdp.h"

#include <inttypes.h>

/// Checks that offsets (n + 1) begin at 0 and do not fall, so that every loop stays in its array.
static CelStatus check_offsets(const char *name, const int64_t *offset, int64_t n) {
  if (offset[0] != 0)
    return cel_fail(CEL_E_RANGE, "%s[0] is %" PRId64 "; it must be 0", name, offset[0]);
  for (int64_t i = 0; i < n; i++)
    if (offset[i + 1] < offset[i])
      return cel_fail(CEL_E_RANGE,
                      "%s[%" PRId64 "] is %" PRId64 ", below %s[%" PRId64 "], which is %" PRId64,
                      name, i + 1, offset[i + 1], name, i, offset[i]);
  return CEL_OK;
}

static CelStatus add_row(CelMdpBuilder *builder, const CelMdpArrays *from, int64_t p) {
  for (int64_t t = from->row[p]; t < from->row[p + 1]; t++)
    CELI_TRY(cel_mdp_transition(builder, from->next[t], from->probability[t],
                                from->reward_next ? from->reward_next[t] : 0.0,
                                from->ends && from->ends[t]));
  return CEL_OK;
}

static CelStatus add_all(CelMdpBuilder *builder, const CelMdpArrays *from) {
  const int64_t S = from->states, pairs = from->pair[S];
  CELI_TRY(cel_mdp_builder_reserve(builder, pairs, from->row[pairs]));
  for (int64_t s = 0; s < S; s++)
    for (int64_t p = from->pair[s]; p < from->pair[s + 1]; p++) {
      CELI_TRY(cel_mdp_pair(builder, s, from->action ? from->action[p] : p - from->pair[s],
                            from->reward ? from->reward[p] : 0.0));
      CELI_TRY(add_row(builder, from, p));
    }
  for (int64_t s = 0; from->start && s < S; s++)
    CELI_TRY(cel_mdp_start(builder, s, from->start[s]));
  return from->name ? cel_mdp_set_name(builder, from->name) : CEL_OK;
}

CelStatus cel_mdp_from_arrays(CelMdp **out, const CelMdpArrays *arrays) {
  CELI_NEED(out);
  CELI_NEED(arrays);
  CELI_NEED(arrays->pair);
  CELI_NEED(arrays->row);
  CELI_FLOATS(CELI_IEEE);
  CelMdpBuilder *builder;
  CELI_TRY(cel_mdp_builder_create(&builder, arrays->states, arrays->discount, arrays->horizon));
  CelStatus status = check_offsets("pair", arrays->pair, arrays->states);
  const int64_t pairs = status == CEL_OK ? arrays->pair[arrays->states] : 0;
  if (status == CEL_OK) status = check_offsets("row", arrays->row, pairs);
  if (status == CEL_OK && arrays->row[pairs] > 0 && (!arrays->next || !arrays->probability))
    status = celi_fail_null(__func__, arrays->next ? "arrays->probability" : "arrays->next");
  if (status == CEL_OK) status = add_all(builder, arrays);
  if (status == CEL_OK) status = cel_mdp_build(builder, out);
  cel_mdp_builder_destroy(builder);
  return status;
}
