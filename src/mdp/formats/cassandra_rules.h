/// The statements T, O and R of a .mdp or .pomdp file as rules. A wildcard, "uniform" or a row
/// stays one rule, so memory grows with the length of the file and not with the size of the MDP.
///
/// A rule is about rows (a, i), where -1 means all, and sets columns j. A later rule about an entry
/// replaces earlier ones.
#ifndef CELSIUS_MDP_CASSANDRA_RULES_H
#define CELSIUS_MDP_CASSANDRA_RULES_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum CeliRuleKind {
  CELI_RULE_ENTRY,    ///< column j (-1: all) and observation o (-1: all) are `value`
  CELI_RULE_ROW,      ///< all columns: the listed cells, and 0 elsewhere
  CELI_RULE_UNIFORM,  ///< 1/columns everywhere
  CELI_RULE_IDENTITY, ///< 1 in column i
  CELI_RULE_RESET,    ///< the initial distribution
  CELI_RULE_OBSERVED  ///< column j (-1: all), by observation: the listed cells, and 0 elsewhere
} CeliRuleKind;

typedef struct CeliRule {
  int64_t i, j, order, line;
  int64_t first, n; ///< the listed cells
  double value;
  int32_t a, o;
  CeliRuleKind kind;
} CeliRule;

/// An entry of a cell list.
typedef struct CeliRewardCell {
  int64_t column;
  double value;
} CeliRewardCell;

typedef struct CeliRules {
  CeliRule *rule;
  int64_t n, capacity;
  CeliRewardCell *cell;
  int64_t cells, cell_capacity;
  const CeliRule **found; ///< result of celi_rules_find, latest first
  int64_t founds, found_capacity;
} CeliRules;

void celi_rules_free(CeliRules *rules);
/// Adds a rule and sets its order.
CelStatus celi_rules_add(CeliRules *rules, CeliRule rule) CEL_WARN_UNUSED;
/// Adds a cell to the list of the rule that is added next. Zeros are not stored.
CelStatus celi_rules_add_cell(CeliRules *rules, int64_t column, double value) CEL_WARN_UNUSED;
/// Sorts by (a, i) and then by file order. No rule may be added afterwards.
void celi_rules_seal(CeliRules *rules);
/// Finds the rules of row (a, i), latest first, up to the first that sets the whole row. The result
/// is `found[0 .. founds-1]`.
CelStatus celi_rules_find(CeliRules *rules, int32_t a, int64_t i) CEL_WARN_UNUSED;
/// True if the rule sets its whole row, so that earlier rules do not matter.
bool celi_rule_covers(const CeliRule *rule);

#endif
