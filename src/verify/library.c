/// What the learners compute in float32, with inputs and outputs in double: log-probs, entropies
/// and their backward pass, by the same plans that updates use.
#include "celsius/tensors.h"
#include "nn/dist.h"
#include "verify/verify.h"

typedef struct Use {
  CelTensors *tensors;
  CeliDist dist;
  float *head, *action, *d_logp, *d_entropy, *d_head;
  int32_t *choice;
  int64_t width;
} Use;

static CelStatus declare(Use *use, const CeliScore *score) {
  const CeliDistSpec spec = {.kind = score->categorical ? CELI_CATEGORICAL : CELI_GAUSSIAN,
                             .A = score->A};
  use->width = celi_dist_head(&spec);
  const int64_t head[] = {score->B, use->width}, action[] = {score->B, score->A};
  CELI_TRY(cel_tensors_create(&use->tensors));
  CELI_TRY(celi_dist_declare(&use->dist, use->tensors, "pi", &spec, score->B, true));
  const struct {
    const char *name;
    void *place;
    const int64_t *shape;
    CelType type;
    int dims;
  } list[] = {{"head", &use->head, head, CEL_F32, 2},
              {"d_head", &use->d_head, head, CEL_F32, 2},
              {"action", &use->action, action, CEL_F32, 2},
              {"choice", &use->choice, action, CEL_I32, 1},
              {"d_logp", &use->d_logp, action, CEL_F32, 1},
              {"d_entropy", &use->d_entropy, action, CEL_F32, 1}};
  for (int i = 0; i < 6; i++)
    CELI_TRY(cel_tensors_declare(use->tensors, list[i].name, list[i].type, CEL_SCRATCH,
                                 list[i].place, list[i].dims, list[i].shape));
  return cel_tensors_allocate(use->tensors);
}

static void fill(Use *use, const CeliScore *score) {
  const int64_t B = score->B, actions = score->categorical ? B : B * score->A;
  for (int64_t i = 0; i < B * use->width; i++) use->head[i] = (float)score->head[i];
  for (int64_t i = 0; i < actions && !score->categorical; i++)
    use->action[i] = (float)score->action[i];
  for (int64_t i = 0; i < actions && score->categorical; i++)
    use->choice[i] = (int32_t)score->action[i];
  for (int64_t i = 0; i < B && score->d_logp; i++) {
    use->d_logp[i] = (float)score->d_logp[i];
    use->d_entropy[i] = (float)score->d_entropy[i];
  }
}

static CelStatus run(Use *use, const CeliScore *score) {
  CeliPlan *plan;
  CeliTeam *team = NULL;
  const void *action = score->categorical ? (const void *)use->choice : use->action;
  const ptrdiff_t lda = score->categorical ? 1 : score->A;
  CELI_TRY(celi_plan_create(&plan));
  celi_dist_plan_log_prob(plan, &use->dist, action, lda, use->head, use->width);
  if (score->d_logp)
    celi_dist_plan_log_prob_backward(plan, &use->dist, use->d_head, use->width, use->d_logp,
                                     use->d_entropy, action, lda, use->head, use->width);
  CelStatus status = celi_plan_end(plan);
  if (status == CEL_OK) status = celi_team_create(&team, 1);
  if (status == CEL_OK) status = celi_plan_run(plan, team);
  celi_team_destroy(team);
  celi_plan_destroy(plan);
  return status;
}

CelStatus celi_library_score(const CeliScore *score) {
  Use use = {0};
  CelStatus status = declare(&use, score);
  if (status == CEL_OK) {
    fill(&use, score);
    status = run(&use, score);
  }
  for (int64_t i = 0; i < score->B && status == CEL_OK; i++) {
    score->logp[i] = (double)use.dist.logp[i];
    score->entropy[i] = (double)use.dist.entropy[i];
  }
  for (int64_t i = 0; i < score->B * use.width && status == CEL_OK && score->d_logp; i++)
    score->d_head[i] = (double)use.d_head[i];
  cel_tensors_destroy(use.tensors);
  return status;
}
