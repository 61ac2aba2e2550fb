/// What an agent's updates consist of, read from its plans.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"

static CelPlanOp describe(const char *plan, const CeliOp *op) {
  static const char *const cuts[] = {
      [CELI_SERIAL] = "serial", [CELI_ROWS] = "rows", [CELI_PARTS] = "parts"};
  CelPlanOp out = {.plan = plan,
                   .name = op->name,
                   .cut = cuts[op->cut],
                   .count = op->count,
                   .grain = op->grain,
                   .barrier = op->barrier,
                   .flop = op->flop};
  for (int64_t i = 0; i < op->n; i++) {
    const double bytes = (double)celi_access_bytes(op, &op->access[i]);
    if (op->access[i].mode & CELI_READS) out.read += bytes;
    if (op->access[i].mode & CELI_WRITES) out.written += bytes;
  }
  return out;
}

bool cel_agent_plan_op(const CelAgent *agent, int64_t i, CelPlanOp *op) {
  CELI_NEED_OR(agent, false);
  CELI_NEED_OR(op, false);
  CELI_FLOATS(CELI_IEEE);
  CeliNamedPlan plans[CELI_PLANS_MAX];
  const int n = agent->algo->plans(agent, plans);
  if (i < 0) return false;
  for (int p = 0; p < n; p++) {
    const int64_t count = plans[p].plan ? celi_plan_count(plans[p].plan) : 0;
    if (i < count) {
      *op = describe(plans[p].name, celi_plan_op(plans[p].plan, i));
      return true;
    }
    i -= count;
  }
  return false;
}
