/// mdp: any finite Markov decision process as an environment, from a file, a generator or memory.
///
///     state   s, the number of the state
///     obs     one-hot: S zeros, except for a 1 at s
///     action  its number a; if s has no action a, the (a mod n)th of its n actions
///     s'      drawn from P(.|s,a); s_0 from the initial distribution; one random number each
///     reward  r(s,a,s'), or r(s,a) if the problem has no rewards by next state
///     ends    if the transition ends the episode, or s' is terminal (has no actions)
///
/// The time limit is the problem's horizon, else the generator's. cel_solve of cel_mdp_of_env
/// (celsius/solve.h) gives the exact optimal value. Well-known problems have ids of their own,
/// those of Gymnasium if it has the problem. They are the same type with a fixed generator.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/mdp.h"
#include "env/env_internal.h"
#include "env/mdp_picture.h"
#include "mdp/grid_cells.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct MdpArguments {
  char file[CEL_PATH_MAX], generator[CEL_TEXT_MAX], arguments[CEL_PATH_MAX], reward[CEL_TEXT_MAX];
  double discount;
  int32_t unavailable;
  const CelMdp *given; ///< set by cel_mdp_env_spec; not a field
} MdpArguments;

enum { REPEAT, REFUSE };

#define AT(member) offsetof(MdpArguments, member)
// clang-format off
static const CelField fields[] = {
    {.name = "generator", .type = CEL_FIELD_STRING, .offset = AT(generator),
     .def = "frozenlake-8x8",
     .doc = "generator of the problem when there is no file: garnet, grid, taxi, ..."},
#include "env/mdp_arguments.inc"
    {.name = "file", .type = CEL_FIELD_PATH, .offset = AT(file),
     .doc = "file of the problem in any format that `celsius solve` reads"},
    {.name = "discount", .type = CEL_FIELD_AUTO, .offset = AT(discount), .def = "auto", .min = 0,
     .max = 1,
     .doc = "discount for a file that has none; learning does not depend on it"},
    {.name = "reward", .type = CEL_FIELD_STRING, .offset = AT(reward),
     .doc = "reward model of a file that has several, by name or number"},
#include "env/mdp_unavailable.inc"
    {0},
};

/// Fields of the types with an id of their own, whose generator is fixed.
static const CelField named_fields[] = {
#include "env/mdp_arguments.inc"
#include "env/mdp_unavailable.inc"
    {0},
};
// clang-format on
#undef AT

/// The data of a spec, which open creates.
typedef struct MdpData {
  const CelMdp *mdp;
  CelMdp *owned;      ///< the same if the environment owns it, else NULL
  double *cumulative; ///< (states) partial sums of the initial distribution
  int64_t actions;    ///< number of actions of the action space
  bool refuse;
  uint8_t *cell; ///< (states) CeliCell of a grid world, for pictures; NULL: no grid
} MdpData;

// ---- the problem

/// Sets one "key=value" of a generator's config. Changes `text`.
static CelStatus set_argument(const CelMdpGenerator *generator, void *config, char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) {
    return cel_fail(CEL_E_ARGUMENT, "argument '%s' of %s must have the form key=value", text,
                    generator->name);
  }
  *value++ = 0;
  return cel_fail_in(cel_fields_set(generator->fields, config, text, value),
                     "arguments of %s: ", generator->name);
}

/// Sets all arguments of a text. Blanks separate them.
static CelStatus set_arguments(const CelMdpGenerator *generator, void *config, const char *text) {
  char copy[CEL_PATH_MAX], *rest = NULL;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    CELI_TRY(set_argument(generator, config, word));
  }
  return CEL_OK;
}

static CelStatus generate(MdpData *data, const MdpArguments *c, const char *name, int64_t *limit) {
  const CelMdpGenerator *generator;
  void *config;
  CELI_TRY(cel_mdp_generator_find(name, &generator));
  CELI_TRY(celi_alloc(&config, 1, generator->config_size, "a generator's arguments"));
  memset(config, 0, generator->config_size);
  cel_fields_default(generator->fields, config);
  CelStatus status = set_arguments(generator, config, c->arguments);
  if (status == CEL_OK) status = cel_mdp_generate(&data->owned, generator->name, config);
  free(config);
  *limit = generator->max_episode_steps;
  return status;
}

static CelStatus load(MdpData *data, const MdpArguments *c) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  options.discount = c->discount;
  memcpy(options.reward, c->reward, sizeof options.reward);
  return cel_mdp_load_with(&data->owned, c->file, &options);
}

/// The types with an id of their own.
static const struct {
  const CelEnvType *type;
  const char *generator;
} named[] = {{&celi_env_frozenlake, "frozenlake-4x4"},
             {&celi_env_frozenlake_8x8, "frozenlake-8x8"},
             {&celi_env_taxi, "taxi"},
             {&celi_env_cliffwalking, "cliffwalking"},
             {&celi_env_garnet, "garnet"}};
enum { NAMED = sizeof named / sizeof named[0] };

/// The fixed generator of a type, or the one that its arguments name.
static const char *generator_of(const CelEnvType *type, const MdpArguments *c) {
  for (int i = 0; i < NAMED; i++)
    if (named[i].type == type) return named[i].generator;
  return c->generator;
}

const char *celi_env_mdp_id(const CelEnvType *type, const void *config) {
  const MdpArguments *c = config;
  if (type != &celi_env_mdp || c->given || c->file[0]) return type->id;
  for (int i = 0; i < NAMED; i++)
    if (celi_name_equal(named[i].generator, c->generator)) return named[i].type->id;
  return type->id;
}

/// Loads or generates the problem. *limit: the generator's time limit, for problems without a
/// horizon.
static CelStatus find_problem(MdpData *data, const MdpArguments *c, const char *generator,
                              int64_t *limit) {
  if (c->given) {
    data->mdp = c->given;
    return CEL_OK;
  }
  if (c->file[0] && c->arguments[0]) {
    return cel_fail(
        CEL_E_ARGUMENT,
        "arguments is set, but only generators take arguments; leave arguments or file empty");
  }
  if (!c->file[0] && c->reward[0]) {
    return cel_fail(CEL_E_ARGUMENT,
                    "reward names a reward model of a file, but file is empty; set file too");
  }
  CELI_TRY(c->file[0] ? load(data, c) : generate(data, c, generator, limit));
  data->mdp = data->owned;
  return CEL_OK;
}

// ---- open, close

/// Computes the partial sums of the initial distribution.
static CelStatus accumulate_start(MdpData *data) {
  const int64_t S = data->mdp->states;
  CELI_TRY(celi_alloc(&data->cumulative, (size_t)S, sizeof *data->cumulative, "initial states"));
  double sum = 0.0;
  for (int64_t s = 0; s < S; s++) data->cumulative[s] = sum += data->mdp->start[s];
  return CEL_OK;
}

static int64_t count_actions(const CelMdp *mdp) {
  int64_t most = 0;
  for (int64_t p = 0; mdp->action && p < mdp->pairs; p++) {
    most = mdp->action[p] > most ? mdp->action[p] : most;
  }
  return mdp->action ? most + 1 : mdp->max_actions;
}

static void free_data(MdpData *data) {
  cel_mdp_destroy(data->owned);
  free(data->cumulative);
  free(data->cell);
  free(data);
}

/// Finds the cells for pictures. Skips large grids, whose pictures show no cells.
static CelStatus find_cells(MdpData *data) {
  enum { CELLS_MAX = 1 << 16 };
  const CelMdp *mdp = data->mdp;
  if (!mdp->grid || mdp->states > CELLS_MAX || mdp->grid->rows > CELLS_MAX / mdp->grid->columns)
    return CEL_OK;
  CELI_TRY(celi_alloc(&data->cell, (size_t)mdp->states, sizeof *data->cell, "a picture's cells"));
  return celi_mdp_cells(mdp, data->cell);
}

static CelStatus open_data(CelEnvSpec *spec, MdpData *data) {
  const MdpArguments *c = spec->config;
  int64_t limit = 0;
  CELI_TRY(find_problem(data, c, generator_of(spec->type, c), &limit));
  CELI_TRY(accumulate_start(data));
  CELI_TRY(find_cells(data));
  data->actions = count_actions(data->mdp);
  data->refuse = c->unavailable == REFUSE;
  spec->observation = cel_space_box(data->mdp->states, 0.0, 1.0);
  spec->action = cel_space_discrete(data->actions);
  spec->state_size = 1;
  spec->seconds_per_step = 0.25; // as in Gymnasium
  if (limit == 0) limit = spec->type->max_episode_steps;
  spec->max_episode_steps = data->mdp->horizon > 0 ? data->mdp->horizon : limit;
  return CEL_OK;
}

static CelStatus mdp_open(CelEnvSpec *spec) {
  MdpData *data;
  CELI_TRY(celi_alloc(&data, 1, sizeof *data, "a finite problem"));
  memset(data, 0, sizeof *data);
  const CelStatus status = open_data(spec, data);
  if (status == CEL_OK) {
    spec->data = data;
  } else {
    free_data(data);
  }
  return status;
}

static void mdp_close(CelEnvSpec *spec) {
  free_data(spec->data);
  spec->data = NULL;
}

CelStatus cel_mdp_env_spec(CelEnvSpec **out, const CelMdp *mdp, const CelEnvOptions *options) {
  CELI_NEED(out);
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_FLOATS(CELI_IEEE);
  MdpArguments config;
  memset(&config, 0, sizeof config);
  cel_fields_default(fields, &config);
  config.given = mdp;
  return cel_env_spec_create(out, celi_env_mdp.id, &config, options);
}

CelStatus cel_mdp_of_env(const CelEnvSpec *spec, const CelMdp **out) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  if (spec->type->open != mdp_open) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s is not a finite problem; %s is one, and so are the environments with "
                    "one-hot observations in `celsius list envs`",
                    spec->type->id, celi_env_mdp.id);
  }
  *out = ((const MdpData *)spec->data)->mdp;
  return CEL_OK;
}

// ---- reset, step

static void observe(const CelMdp *mdp, int64_t s, float *obs) {
  memset(obs, 0, (size_t)mdp->states * sizeof *obs);
  obs[s] = 1.0f;
}

/// The first state whose cumulative probability is above u. If rounding leaves none, the last state
/// of positive probability.
static int64_t draw_start(const MdpData *data, double u) {
  int64_t low = 0, high = data->mdp->states;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (data->cumulative[middle] > u) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == data->mdp->states) low--;
  while (!(data->mdp->start[low] > 0.0)) low--;
  return low;
}

static CelStatus mdp_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const MdpData *data = spec->data;
  const int64_t s = draw_start(data, cel_rng_uniform(rng));
  *state = (double)s;
  observe(data->mdp, s, obs);
  return CEL_OK;
}

/// Finds the pair that action a of state s uses. The state must have actions.
static CelStatus find_pair(const MdpData *data, int64_t s, int64_t a, int64_t *out) {
  const CelMdp *mdp = data->mdp;
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  int64_t low = first, high = first + n;
  while (low < high) { // action numbers increase within a state
    const int64_t middle = low + (high - low) / 2;
    if (cel_mdp_action(mdp, s, middle) < a) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool there = low < first + n && cel_mdp_action(mdp, s, low) == a;
  *out = there ? low : first + a % n;
  if (there || !data->refuse) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "state %" PRId64 " has no action %" PRId64 " (of %" PRId64
                  "); unavailable=repeat substitutes one of the state's actions",
                  s, a, n);
}

/// The first transition of pair p whose cumulative probability is above u. If rounding leaves none,
/// the last one of positive probability.
static int64_t draw_transition(const CelMdp *mdp, int64_t p, double u) {
  double sum = 0.0;
  int64_t last = mdp->row[p];
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    if (!(mdp->probability[t] > 0.0)) continue;
    last = t;
    sum += mdp->probability[t];
    if (sum > u) break;
  }
  return last;
}

static CelStatus step_one(const MdpData *data, double *state, int64_t a, float *reward,
                          uint8_t *terminated, CelRng *rng) {
  const CelMdp *mdp = data->mdp;
  if (!(*state >= 0.0 && *state < (double)mdp->states)) { // perhaps from a damaged checkpoint
    return cel_fail(CEL_E_ENV, "state is %g; it must be a whole number from 0 and below %" PRId64,
                    *state, mdp->states);
  }
  const int64_t s = (int64_t)*state;
  *reward = 0.0f;
  *terminated = 1;
  if (mdp->pair[s] == mdp->pair[s + 1]) return CEL_OK; // the episode started in a terminal state
  int64_t p = 0;
  CELI_TRY(find_pair(data, s, a, &p));
  const int64_t t = draw_transition(mdp, p, cel_rng_uniform(rng)), next = cel_mdp_next(mdp, t);
  *state = (double)next;
  *reward = (float)(mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p]);
  *terminated = (mdp->ends && mdp->ends[t]) || mdp->pair[next] == mdp->pair[next + 1];
  return CEL_OK;
}

static CelStatus mdp_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                          void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  const MdpData *data = spec->data;
  const int32_t *action = actions;
  for (int64_t e = 0; e < n; e++) {
    CELI_TRY(step_one(data, &states[e], action[e], &reward[e], &terminated[e], &rng[e]));
    observe(data->mdp, (int64_t)states[e], (float *)obs + e * data->mdp->states);
  }
  return CEL_OK;
}

// ---- picture

static void mdp_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  const MdpData *data = spec->data;
  celi_mdp_picture(data->mdp, data->cell, *state, canvas);
}

static void taxi_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  (void)spec;
  celi_taxi_picture(*state, canvas);
}

// ---- types: mdp for all problems, and one for each problem with an id of its own

#define MDP_TYPE(id_, doc_, limit_, threshold_, fields_, render_)                                  \
  {                                                                                                \
    .abi = CEL_ENV_ABI, .id = (id_), .doc = (doc_), .max_episode_steps = (limit_),                 \
    .reward_threshold = (double)(threshold_), .config_size = sizeof(MdpArguments),                 \
    .fields = (fields_), .open = mdp_open, .close = mdp_close, .reset = mdp_reset,                 \
    .step = mdp_step, .render = (render_),                                                         \
  }

const CelEnvType celi_env_mdp = MDP_TYPE(
    "mdp", "any finite Markov decision process, from a file or a generator; one-hot observations",
    0, NAN, fields, mdp_render);
const CelEnvType celi_env_frozenlake =
    MDP_TYPE("FrozenLake-v1",
             "cross the ice to the goal, past four holes; Gymnasium's; one-hot observations", 100,
             0.7, named_fields, mdp_render);
const CelEnvType celi_env_frozenlake_8x8 =
    MDP_TYPE("FrozenLake8x8-v1",
             "cross the ice to the goal, past ten holes; Gymnasium's; one-hot observations", 200,
             0.85, named_fields, mdp_render);
const CelEnvType celi_env_taxi = MDP_TYPE(
    "Taxi-v3",
    "fetch a passenger and bring them to their destination; Gymnasium's (v4 is the same but in the "
    "rain); one-hot observations",
    200, 8, named_fields, taxi_render);
const CelEnvType celi_env_cliffwalking = MDP_TYPE(
    "CliffWalking-v1",
    "along a cliff to the goal; Gymnasium's; one-hot observations, with a time limit, so that an "
    "evaluation ends",
    200, NAN, named_fields, mdp_render);
const CelEnvType celi_env_garnet = MDP_TYPE(
    "Garnet-v0", "a random problem with a few next states per action; one-hot observations", 1000,
    NAN, named_fields, mdp_render);
