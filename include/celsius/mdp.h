/// Finite Markov decision processes: built once, validated, const from then on.
///
/// State s has its own actions; a (state, action) is a pair, pairs are numbered state by state, and each has a row of
/// transitions. Everything is double precision; indices are 64 bits in every call, stored in 32 where they fit. A state
/// without actions is terminal: its value is 0. A transition that ends the episode pays its reward and is followed by
/// nothing, whatever its next state is worth (Gymnasium's `terminated` in a table).
#ifndef CELSIUS_MDP_H
#define CELSIUS_MDP_H
#include "celsius/field.h"
#include "celsius/rng.h"
#include "celsius/status.h"
CEL_BEGIN

/// What a grid world looks like, for plots: state of cell (row, column), -1 where there is a wall.
typedef struct CelMdpGrid {
  int64_t rows, columns;
  const int64_t *state; ///< (rows * columns)
  /// Direction of action a as (row step, column step), (actions, 2); 0, 0: stays.
  const int8_t *direction;
  int64_t actions;
} CelMdpGrid;

/// Read through the fields or the functions below; never written after cel_mdp_build.
typedef struct CelMdp {
  int64_t states, pairs, transitions;
  int64_t max_actions;       ///< most actions of a state
  double discount;           ///< gamma in [0, 1); 1 only with a horizon
  int64_t horizon;           ///< steps of an episode; 0: infinite
  const int64_t *pair;       ///< (states + 1) first pair of each state
  const int64_t *row;        ///< (pairs + 1) first transition of each pair
  const uint32_t *next32;    ///< (transitions) next states, or NULL: next64 has them
  const int64_t *next64;     ///< (transitions) or NULL
  const double *probability; ///< (transitions) each row sums to 1 within 1e-14
  const double *reward;      ///< (pairs) r(s,a), expected over the row
  const double *reward_next; ///< (transitions) r(s,a,s'), or NULL: r(s,a) whatever follows
  const uint8_t *ends;       ///< (transitions) 1: the episode ends there; or NULL: none does
  const int32_t *action;     ///< (pairs) the action's number, where it is not p - pair[s]; or NULL
  const double *start;       ///< (states) initial distribution
  const CelMdpGrid *grid;    ///< or NULL
  /// One sentence about what the file says and this problem does not hold, or NULL: "observations are left out: ..."
  const char *left_out;
  char name[CEL_TEXT_MAX]; ///< "frozenlake-8x8", a file's name, ""
} CelMdp;

/// Next state of transition t.
static inline int64_t cel_mdp_next(const CelMdp *mdp, int64_t t) {
  return mdp->next32 ? (int64_t)mdp->next32[t] : mdp->next64[t];
}
/// The action's number of pair p of state s.
static inline int64_t cel_mdp_action(const CelMdp *mdp, int64_t s, int64_t p) {
  return mdp->action ? mdp->action[p] : p - mdp->pair[s];
}

// ---- building. States in order, their actions in order, their transitions in any order.

typedef struct CelMdpBuilder CelMdpBuilder;

/// Errors: CEL_E_RANGE (states < 1 or too many, discount not in [0, 1], 1 without a horizon, horizon < 0),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_builder_create(CelMdpBuilder **out, int64_t states, double discount,
                                         int64_t horizon) CEL_WARN_UNUSED;
CEL_API void cel_mdp_builder_destroy(CelMdpBuilder *builder);
/// Makes room at once for what will come, so that nothing is copied while it grows. Optional.
CEL_API CelStatus cel_mdp_builder_reserve(CelMdpBuilder *builder, int64_t pairs,
                                          int64_t transitions) CEL_WARN_UNUSED;
/// Opens the next pair: of state `state` (not below the last one's), with action number `action` (rising within a
/// state) and r(s,a) = `reward`; to this the transitions' own rewards are added. A state that is passed over is terminal.
/// Errors: CEL_E_RANGE (names state and action; those of the row before it too), CEL_E_NAN (reward), CEL_E_STATE
/// (built already), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_pair(CelMdpBuilder *builder, int64_t state, int64_t action,
                               double reward) CEL_WARN_UNUSED;
/// Adds a transition to the open pair; the same next state may come again: probabilities add up, rewards are averaged by
/// them; with and without `ends` they stay apart. `reward` is r(s,a,s') beside the pair's; `ends`: the episode ends
/// there. Probabilities may be off by 1e-5, single ones and sums; one of 0 or below is dropped, and the others are divided
/// by their sum. The row is checked when it is closed: by the next pair, or by build.
/// Errors: CEL_E_RANGE (next state, probability outside of [0, 1] by more than 1e-5), CEL_E_NAN, CEL_E_STATE (no pair is open).
CEL_API CelStatus cel_mdp_transition(CelMdpBuilder *builder, int64_t next, double probability,
                                     double reward, bool ends) CEL_WARN_UNUSED;
/// Sets the initial distribution's weight of a state (default: uniform over the states that are not terminal).
CEL_API CelStatus cel_mdp_start(CelMdpBuilder *builder, int64_t state,
                                double weight) CEL_WARN_UNUSED;
/// Says that the problem is a grid (copied).
CEL_API CelStatus cel_mdp_set_grid(CelMdpBuilder *builder, const CelMdpGrid *grid) CEL_WARN_UNUSED;
CEL_API CelStatus cel_mdp_set_name(CelMdpBuilder *builder, const char *name) CEL_WARN_UNUSED;
/// Validates and closes; the builder is empty afterwards and may be destroyed. Rows must sum to 1 within 1e-5 (and are
/// then divided by their sum), the start too. Within a row next states rise.
/// Errors: CEL_E_RANGE, naming state, action and the sum; CEL_E_MEMORY; CEL_E_STATE (twice). After an error of any of
/// these functions there is nothing to do but to destroy.
CEL_API CelStatus cel_mdp_build(CelMdpBuilder *builder, CelMdp **out) CEL_WARN_UNUSED;
/// Only for what build, load or generate made. Takes NULL.
CEL_API void cel_mdp_destroy(CelMdp *mdp);
/// Checks every promise of the struct above; what was loaded from a file is checked by it.
/// Errors: CEL_E_CORRUPT, naming state, action or transition.
CEL_API CelStatus cel_mdp_check(const CelMdp *mdp) CEL_WARN_UNUSED;

// ---- files

typedef enum CelMdpFormat {
  CEL_MDP_AUTO,        ///< by the file's name and first bytes
  CEL_MDP_SAFETENSORS, ///< our own layout (docs/files.md), memory-mapped
  CEL_MDP_GYMNASIUM, ///< JSON of a toy-text transition dictionary: {"P": {"0": {"0": [[p, s', r, done], ...]}}}
  CEL_MDP_CASSANDRA, ///< .mdp / .pomdp text; observations are left out
  CEL_MDP_PRISM      ///< explicit .tra, with .trew, .srew, .lab beside it
} CelMdpFormat;

/// A file format: one row of the library's table of formats.
typedef struct CelMdpFormatInfo {
  CelMdpFormat format;
  const char *name;          ///< "gymnasium"
  const char *doc;           ///< one line
  const char *extensions[3]; ///< of the files to load and save: {".mdp", ".pomdp"}; ends with NULL
  const char *companions[4]; ///< of files beside these that cel_mdp_load takes too; ends with NULL
} CelMdpFormatInfo;
/// Format i, NULL past the end.
CEL_API const CelMdpFormatInfo *cel_mdp_format_at(int i);

/// How a file is read. Start from cel_mdp_load_options_default().
typedef struct CelMdpLoadOptions {
  CelMdpFormat format;       ///< default CEL_MDP_AUTO
  double discount;           ///< NAN, the default: the file's own
  int64_t horizon;           ///< steps of an episode; 0: infinite; -1, the default: the file's own
  char reward[CEL_TEXT_MAX]; ///< PRISM's reward structure, by name or number; "": the only one
} CelMdpLoadOptions;
CEL_API CelMdpLoadOptions cel_mdp_load_options_default(void);

/// Loads a file. A file without a discount (PRISM's never have one, Gymnasium's may not) needs one in the options. A
/// discount of 1 needs a horizon, the file's or the one in the options.
/// Errors: CEL_E_IO, CEL_E_CORRUPT (file, line or offset, state, action, what and the remedy), CEL_E_FORMAT (not of that
/// format at all; longer than the limit), CEL_E_RANGE (discount, horizon), CEL_E_NAME (no such reward structure),
/// CEL_E_ARGUMENT (several reward structures, and none is chosen), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_load_with(CelMdp **out, const char *path,
                                    const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// The same with a format and a discount (NAN: the file's own); all else by default.
CEL_API CelStatus cel_mdp_load(CelMdp **out, const char *path, CelMdpFormat format,
                               double discount) CEL_WARN_UNUSED;
/// Writes a file whole or not at all. CEL_MDP_AUTO: by the name's ending.
/// Errors: CEL_E_IO, CEL_E_UNSUPPORTED (what the format cannot say), CEL_E_CORRUPT (a struct filled in by hand that
/// breaks a promise: see cel_mdp_check).
CEL_API CelStatus cel_mdp_save(const CelMdp *mdp, const char *path,
                               CelMdpFormat format) CEL_WARN_UNUSED;

// ---- generators: each a config struct with a field table, one file, one line in the registry.

typedef struct CelMdpGenerator {
  const char *name; ///< "garnet"
  const char *doc;  ///< one line
  const CelField *fields;
  size_t config_size;
  CelStatus (*make)(CelMdp **out, const void *config);
  /// Time limit for learners, which is no part of the problem; 0: none.
  int64_t max_episode_steps;
} CelMdpGenerator;
/// Generator i, NULL past the end.
CEL_API const CelMdpGenerator *cel_mdp_generator_at(int i);
/// By name ('_' and '-' are alike). Errors: CEL_E_NAME (the nearest).
CEL_API CelStatus cel_mdp_generator_find(const char *name,
                                         const CelMdpGenerator **out) CEL_WARN_UNUSED;
/// `config`: the generator's struct, filled through its fields; NULL: the defaults. The same config gives the same
/// problem. Errors: CEL_E_NAME, CEL_E_RANGE (generator, field, range), CEL_E_MEMORY.
CEL_API CelStatus cel_mdp_generate(CelMdp **out, const char *name,
                                   const void *config) CEL_WARN_UNUSED;

// ---- as an environment: `--env mdp` for a file or a generator, and for a problem in memory:

struct CelEnvSpec;
struct CelEnvOptions;
/// The problem as an environment: observations are one-hot, actions are numbers, the time limit is the horizon.
/// `mdp` must outlive the spec. Errors: those of cel_env_spec_create.
CEL_API CelStatus cel_mdp_env_spec(struct CelEnvSpec **out, const CelMdp *mdp,
                                   const struct CelEnvOptions *options) CEL_WARN_UNUSED;
/// The problem that a spec of the environment mdp poses; it lives as long as the spec.
/// Errors: CEL_E_UNSUPPORTED (another environment).
CEL_API CelStatus cel_mdp_of_env(const struct CelEnvSpec *spec, const CelMdp **out) CEL_WARN_UNUSED;

CEL_END
#endif
