/// The statements T, O and R of a .mdp or .pomdp file as rules, kept as they were written: a wildcard, "uniform" or a row
/// stays one rule, so that memory follows the length of the file and not the size of what it describes.
///
/// A rule is about rows (a, i), -1 standing for all of them, and says what is in column j. Of two rules about the same
/// entry the later one holds.
#ifndef CELSIUS_MDP_CASSANDRA_RULES_H
#define CELSIUS_MDP_CASSANDRA_RULES_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum CeliRuleKind {
  CELI_RULE_ENTRY,    ///< column j (-1: all) and observation o (-1: all) hold `value`
  CELI_RULE_ROW,      ///< all columns: those listed, and 0 elsewhere
  CELI_RULE_UNIFORM,  ///< 1/columns everywhere
  CELI_RULE_IDENTITY, ///< 1 in column i
  CELI_RULE_RESET,    ///< the initial distribution
  CELI_RULE_OBSERVED  ///< column j (-1: all): by observation, those listed, and 0 elsewhere
} CeliRuleKind;

typedef struct CeliRule {
  int64_t i, j, order, line;
  int64_t first, n; ///< of the listed cells
  double value;
  int32_t a, o;
  CeliRuleKind kind;
} CeliRule;

/// An entry of a list.
typedef struct CeliCell {
  int64_t column;
  double value;
} CeliCell;

typedef struct CeliRules {
  CeliRule *rule;
  int64_t n, capacity;
  CeliCell *cell;
  int64_t cells, cell_capacity;
  const CeliRule **found; ///< by celi_rules_find, the latest first
  int64_t founds, found_capacity;
} CeliRules;

void celi_rules_free(CeliRules *rules);
/// Adds a rule; its order is set.
CelStatus celi_rules_add(CeliRules *rules, CeliRule rule) CEL_WARN_UNUSED;
/// Adds an entry to the list of the rule that will be added next; zeros are left out.
CelStatus celi_rules_add_cell(CeliRules *rules, int64_t column, double value) CEL_WARN_UNUSED;
/// Sorts by (a, i), in the order of the file where these agree; nothing is added afterwards.
void celi_rules_seal(CeliRules *rules);
/// Finds the rules of row (a, i), the latest first, back to the last one that says everything about the row:
/// `found[0 .. founds-1]`.
CelStatus celi_rules_find(CeliRules *rules, int32_t a, int64_t i) CEL_WARN_UNUSED;
/// True when nothing before the rule matters to its row.
bool celi_rule_covers(const CeliRule *rule);

#endif
