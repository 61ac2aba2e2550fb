/// Formulas: a recursive-descent parser that writes instructions, and their evaluation.
///
///     formula    = and { "or" and }
///     and        = not { "and" not }
///     not        = [ "not" ] comparison
///     comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
///     sum        = product { ("+" | "-") product }
///     product    = sign { ("*" | "/") sign }
///     sign       = [ "-" | "+" ] power
///     power      = atom [ "**" sign ]
///     atom       = ( number | name | name "(" arguments ")" | "(" formula ")" ) { index }
///     index      = "[" formula [ ":" formula ] "]"
#include "formula.h"
#include "mujoco_env.h"
#include "numpy.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Op {
  READ,
  RATE,
  PREVIOUS,
  ADD,
  SUBTRACT,
  MULTIPLY,
  DIVIDE,
  POWER,
  LESS,
  LESS_EQUAL,
  GREATER,
  GREATER_EQUAL,
  EQUAL,
  NOT_EQUAL,
  AND,
  OR,
  NOT,
  NEGATE,
  ABS,
  SQRT,
  EXP,
  LOG,
  LOG1P,
  SIN,
  COS,
  TANH,
  SQUARE,
  MIN2,
  MAX2,
  CLIP,
  SUM,
  MEAN,
  NORM,
  MIN,
  MAX,
  ANY,
  ALL,
  DOT,
  TOLERANCE
} Op;

// ---- tolerance

const char *const celi_sigmoids[] = {"gaussian",   "linear",       "hyperbolic",
                                     "long_tail",  "cosine",       "quadratic",
                                     "reciprocal", "tanh_squared", NULL};
enum { GAUSSIAN, LINEAR, HYPERBOLIC, LONG_TAIL, COSINE, QUADRATIC, RECIPROCAL, TANH_SQUARED };

/// The sigmoid at distance x (in margins), with the value v at distance 1.
static double sigmoid(double x, int kind, double v) {
  const double pi = 3.14159265358979323846;
  double scale, scaled;
  switch (kind) {
  case GAUSSIAN:
    scale = sqrt(-2 * log(v));
    scaled = x * scale;
    return exp(-0.5 * (scaled * scaled));
  case HYPERBOLIC: return 1 / cosh(x * acosh(1 / v));
  case LONG_TAIL: scaled = x * sqrt(1 / v - 1); return 1 / (scaled * scaled + 1);
  case RECIPROCAL: return 1 / (fabs(x) * (1 / v - 1) + 1);
  case COSINE:
    scaled = x * (acos(2 * v - 1) / pi);
    return fabs(scaled) < 1 ? (1 + cos(pi * scaled)) / 2 : 0;
  case LINEAR: scaled = x * (1 - v); return fabs(scaled) < 1 ? 1 - scaled : 0;
  case QUADRATIC: scaled = x * sqrt(1 - v); return fabs(scaled) < 1 ? 1 - scaled * scaled : 0;
  default: scaled = tanh(x * atanh(sqrt(1 - v))); return 1 - scaled * scaled;
  }
}

double celi_tolerance(double x, double low, double high, double margin, int kind, double v) {
  if (low <= x && x <= high) return 1;
  if (margin == 0) return isnan(x) ? x : 0;
  return sigmoid((x < low ? low - x : x - high) / margin, kind, v);
}

// ---- programs

static CelStatus no_memory(void) {
  return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
}

void celi_program_free(CeliProgram *p) {
  for (int i = 0; i < p->n_symbols; i++) free(p->symbol[i].name);
  free(p->symbol);
  free(p->instruction);
  free(p->initial);
  memset(p, 0, sizeof *p);
}

/// Makes room for `need` elements.
static CelStatus grow(void **array, int *capacity, int need, size_t size) {
  if (need <= *capacity) return CEL_OK;
  const int more = 2 * need + 64;
  void *larger = realloc(*array, (size_t)more * size);
  if (!larger) return no_memory();
  *array = larger;
  *capacity = more;
  return CEL_OK;
}

CelStatus celi_program_place(CeliProgram *p, int n, CeliValue *value) {
  if (n > CELI_WORK_MAX - p->size)
    return cel_fail(CEL_E_RANGE, "all quantities together have more than %d numbers, the limit",
                    CELI_WORK_MAX);
  void *initial = p->initial;
  CELI_MUJOCO_TRY(grow(&initial, &p->capacity, p->size + n, sizeof *p->initial));
  p->initial = initial;
  for (int i = 0; i < n; i++) p->initial[p->size + i] = 0;
  *value = (CeliValue){.at = p->size, .n = n};
  p->size += n;
  return CEL_OK;
}

static bool is_name(const char *text) {
  if (!isalpha((unsigned char)text[0]) && text[0] != '_') return false;
  for (const char *c = text; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') return false;
  return true;
}

static const CeliSymbol *find_symbol(const CeliProgram *p, const char *name, size_t n) {
  for (int i = 0; i < p->n_symbols; i++)
    if (strlen(p->symbol[i].name) == n && strncmp(p->symbol[i].name, name, n) == 0)
      return &p->symbol[i];
  return NULL;
}

static bool is_reserved(const char *name);

CelStatus celi_program_name(CeliProgram *p, const char *name, CeliValue value) {
  if (!is_name(name))
    return cel_fail(CEL_E_NAME, "'%.60s' is not a name; a name has letters, digits and underscores",
                    name);
  if (find_symbol(p, name, strlen(name)) || is_reserved(name))
    return cel_fail(CEL_E_NAME, "the name '%.60s' is taken; choose another", name);
  void *symbols = p->symbol;
  CELI_MUJOCO_TRY(grow(&symbols, &p->symbols_capacity, p->n_symbols + 1, sizeof *p->symbol));
  p->symbol = symbols;
  char *copy = strdup(name);
  if (!copy) return no_memory();
  p->symbol[p->n_symbols++] = (CeliSymbol){copy, value};
  return CEL_OK;
}

static CelStatus add(CeliProgram *p, CeliInstruction instruction, CeliValue *value) {
  void *list = p->instruction;
  CELI_MUJOCO_TRY(
      grow(&list, &p->instructions_capacity, p->n_instructions + 1, sizeof *p->instruction));
  p->instruction = list;
  CELI_MUJOCO_TRY(celi_program_place(p, instruction.n, value));
  instruction.out = value->at;
  p->instruction[p->n_instructions++] = instruction;
  return CEL_OK;
}

CelStatus celi_program_read(CeliProgram *p, CeliRead *read, const void *source, int n,
                            CeliValue *value) {
  return add(p, (CeliInstruction){.op = READ, .n = n, .read = read, .source = source}, value);
}

// ---- evaluation

static double binary(int op, double a, double b) {
  switch (op) {
  case ADD: return a + b;
  case SUBTRACT: return a - b;
  case MULTIPLY: return a * b;
  case DIVIDE: return a / b;
  case POWER: return b == 2 ? a * a : pow(a, b);
  case LESS: return a < b;
  case LESS_EQUAL: return a <= b;
  case GREATER: return a > b;
  case GREATER_EQUAL: return a >= b;
  case EQUAL: return a == b;
  case NOT_EQUAL: return a != b;
  case AND: return a != 0 && b != 0;
  case OR: return a != 0 || b != 0;
  case MIN2: return a < b || isnan(a) ? a : b;
  default: return a > b || isnan(a) ? a : b; // MAX2
  }
}

static double unary(int op, double a) {
  switch (op) {
  case NOT: return a == 0;
  case NEGATE: return -a;
  case ABS: return fabs(a);
  case SQRT: return sqrt(a);
  case EXP: return exp(a);
  case LOG: return log(a);
  case LOG1P: return log1p(a);
  case SIN: return sin(a);
  case COS: return cos(a);
  case TANH: return tanh(a);
  default: return a * a; // SQUARE
  }
}

static double reduce(int op, const double *a, int n) {
  double r;
  switch (op) {
  case SUM: return celi_sum(a, n);
  case MEAN: return celi_sum(a, n) / n;
  case NORM: return sqrt(celi_sum_squares(a, n));
  default: break;
  }
  r = op == ANY ? 0 : op == ALL ? 1 : a[0];
  for (int i = 0; i < n; i++) {
    if (op == MIN || op == MAX) r = binary(op == MIN ? MIN2 : MAX2, r, a[i]);
    if (op == ANY) r = binary(OR, r, a[i]);
    if (op == ALL) r = binary(AND, r, a[i]);
  }
  return r;
}

static void run_elements(const CeliInstruction *s, double *work) {
  const double *a = work + s->a.at, *b = work + s->b.at, *c = work + s->c.at;
  double *out = work + s->out;
  for (int i = 0; i < s->n; i++) {
    const double x = a[s->a.n == 1 ? 0 : i];
    if (s->op == TOLERANCE)
      out[i] = celi_tolerance(x, s->low, s->high, s->margin, s->sigmoid, s->v);
    else if (s->op == CLIP)
      out[i] = celi_clip(x, b[s->b.n == 1 ? 0 : i], c[s->c.n == 1 ? 0 : i]);
    else if (s->b.n)
      out[i] = binary(s->op, x, b[s->b.n == 1 ? 0 : i]);
    else
      out[i] = unary(s->op, x);
  }
}

static double dot(const double *a, const double *b, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void run_memory(const CeliInstruction *s, double *work, double *memory, CeliRun run,
                       double dt) {
  const double *a = work + s->a.at;
  double *out = work + s->out, *before = memory + s->memory;
  for (int i = 0; i < s->n; i++) {
    if (run == CELI_RUN_FIRST) before[i] = a[i];
    if (run != CELI_RUN_AGAIN) out[i] = s->op == RATE ? (a[i] - before[i]) / dt : before[i];
    before[i] = a[i];
  }
}

void celi_program_run(const CeliProgram *p, double *work, double *memory, CeliRun run, double dt,
                      const void *user) {
  for (int i = 0; i < p->n_instructions; i++) {
    const CeliInstruction *s = &p->instruction[i];
    switch (s->op) {
    case READ: s->read(s->source, user, work + s->out); break;
    case RATE:
    case PREVIOUS: run_memory(s, work, memory, run, dt); break;
    case SUM:
    case MEAN:
    case NORM:
    case MIN:
    case MAX:
    case ANY:
    case ALL: work[s->out] = reduce(s->op, work + s->a.at, s->a.n); break;
    case DOT: work[s->out] = dot(work + s->a.at, work + s->b.at, s->a.n); break;
    default: run_elements(s, work);
    }
  }
}

// ---- the parser

static const struct {
  const char *name;
  Op op;
  int least, most; ///< arguments
} functions[] = {
    {"abs", ABS, 1, 1},   {"sqrt", SQRT, 1, 1},         {"exp", EXP, 1, 1},
    {"log", LOG, 1, 1},   {"log1p", LOG1P, 1, 1},       {"sin", SIN, 1, 1},
    {"cos", COS, 1, 1},   {"tanh", TANH, 1, 1},         {"square", SQUARE, 1, 1},
    {"sum", SUM, 1, 1},   {"mean", MEAN, 1, 1},         {"norm", NORM, 1, 1},
    {"any", ANY, 1, 1},   {"all", ALL, 1, 1},           {"min", MIN, 1, 2},
    {"max", MAX, 1, 2},   {"clip", CLIP, 3, 3},         {"dot", DOT, 2, 2},
    {"rate", RATE, 1, 1}, {"previous", PREVIOUS, 1, 1}, {"tolerance", TOLERANCE, 1, 1},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0], DEPTH_MAX = 64 };

static const struct {
  const char *name;
  double value;
} constants[] = {{"pi", 3.14159265358979323846}, {"inf", (double)INFINITY}};
enum { CONSTANTS = sizeof constants / sizeof constants[0] };

static const char *const keywords[] = {"and", "or", "not"};

static bool is_reserved(const char *name) {
  for (int i = 0; i < FUNCTIONS; i++)
    if (strcmp(name, functions[i].name) == 0) return true;
  for (int i = 0; i < CONSTANTS; i++)
    if (strcmp(name, constants[i].name) == 0) return true;
  for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
    if (strcmp(name, keywords[i]) == 0) return true;
  return false;
}

typedef struct Parser {
  CeliProgram *p;
  const char *text, *at;
  int depth;
} Parser;

static CelStatus parse_formula(Parser *f, CeliValue *value);

static CelStatus fail_formula(const Parser *f, CelStatus status, const char *what) {
  return cel_fail(status, "column %d of '%.200s': %s", (int)(f->at - f->text) + 1, f->text, what);
}

static void skip_blanks(Parser *f) {
  while (*f->at == ' ' || *f->at == '\t' || *f->at == '\n') f->at++;
}

/// Takes a symbol such as "<=", or a word such as "and".
static bool take(Parser *f, const char *token) {
  const size_t n = strlen(token);
  skip_blanks(f);
  if (strncmp(f->at, token, n) != 0) return false;
  if (isalpha((unsigned char)token[0]) && (isalnum((unsigned char)f->at[n]) || f->at[n] == '_'))
    return false;
  f->at += n;
  return true;
}

static CelStatus expect(Parser *f, const char *token) {
  char text[64];
  if (take(f, token)) return CEL_OK;
  snprintf(text, sizeof text, "'%s' is missing here", token);
  return fail_formula(f, CEL_E_FORMAT, text);
}

static CelStatus add_constant(Parser *f, double x, CeliValue *value) {
  CELI_MUJOCO_TRY(celi_program_place(f->p, 1, value));
  f->p->initial[value->at] = x;
  value->constant = true;
  return CEL_OK;
}

/// Writes an instruction on elements. Operands of one element go with every vector. Computes it at
/// once if all operands are constant.
static CelStatus add_elements(Parser *f, CeliInstruction s, CeliValue *value) {
  const CeliValue *operand[] = {&s.a, &s.b, &s.c};
  bool constant = true;
  char text[96];
  s.n = 1;
  for (int i = 0; i < 3 && operand[i]->n; i++) {
    constant = constant && operand[i]->constant;
    if (operand[i]->n == 1) continue;
    if (s.n > 1 && operand[i]->n != s.n) {
      snprintf(text, sizeof text, "values of %d and %d numbers do not go together", s.n,
               operand[i]->n);
      return fail_formula(f, CEL_E_SHAPE, text);
    }
    s.n = operand[i]->n;
  }
  if (!constant) return add(f->p, s, value);
  CELI_MUJOCO_TRY(celi_program_place(f->p, s.n, value));
  s.out = value->at;
  run_elements(&s, f->p->initial);
  value->constant = true;
  return CEL_OK;
}

static CelStatus parse_number(Parser *f, CeliValue *value) {
  static const CelField number[] = {{.name = "number", .type = CEL_FIELD_DOUBLE, .def = "0"}, {0}};
  char text[64] = "";
  size_t n = 0;
  double x;
  for (const char *c = f->at; n < sizeof text - 1; n++, c++) {
    const bool sign = (*c == '-' || *c == '+') && n && (text[n - 1] == 'e' || text[n - 1] == 'E');
    if (!isalnum((unsigned char)*c) && *c != '.' && !sign) break;
    text[n] = *c;
  }
  text[n] = 0;
  if (cel_fields_set(number, &x, "number", text) != CEL_OK)
    return fail_formula(f, CEL_E_FORMAT, "this is not a number");
  f->at += n;
  return add_constant(f, x, value);
}

/// A constant argument, such as a margin.
static CelStatus parse_constant(Parser *f, double *x) {
  CeliValue value = {0};
  const char *start = f->at;
  CELI_MUJOCO_TRY(parse_formula(f, &value));
  if (value.constant && value.n == 1) {
    *x = f->p->initial[value.at];
    return CEL_OK;
  }
  f->at = start;
  return fail_formula(f, CEL_E_FORMAT, "this argument must be a number");
}

static CelStatus parse_sigmoid(Parser *f, int *kind) {
  for (*kind = 0; celi_sigmoids[*kind]; ++*kind)
    if (take(f, celi_sigmoids[*kind])) return CEL_OK;
  return fail_formula(f, CEL_E_NAME,
                      "no such sigmoid; choose gaussian, linear, hyperbolic, long_tail, cosine, "
                      "quadratic, reciprocal or tanh_squared");
}

static CelStatus check_tolerance(const Parser *f, const CeliInstruction *s) {
  const bool from_zero = s->sigmoid == COSINE || s->sigmoid == LINEAR || s->sigmoid == QUADRATIC;
  if (!(s->low <= s->high)) return fail_formula(f, CEL_E_RANGE, "tolerance: low is above high");
  if (!(s->margin >= 0) || isinf(s->margin))
    return fail_formula(f, CEL_E_RANGE, "tolerance: margin must be 0 or more");
  if (s->v < 1 && (s->v > 0 || (from_zero && s->v == 0))) return CEL_OK;
  return fail_formula(f, CEL_E_RANGE,
                      from_zero ? "tolerance: value_at_margin must be at least 0 and below 1"
                                : "tolerance: value_at_margin must be above 0 and below 1");
}

/// The arguments of tolerance after its value: [low, high] and name=value.
static CelStatus parse_tolerance(Parser *f, CeliInstruction *s) {
  s->v = 0.1;
  while (take(f, ",")) {
    if (take(f, "[")) {
      CELI_MUJOCO_TRY(parse_constant(f, &s->low));
      CELI_MUJOCO_TRY(expect(f, ","));
      CELI_MUJOCO_TRY(parse_constant(f, &s->high));
      CELI_MUJOCO_TRY(expect(f, "]"));
    } else if (take(f, "margin")) {
      CELI_MUJOCO_TRY(expect(f, "="));
      CELI_MUJOCO_TRY(parse_constant(f, &s->margin));
    } else if (take(f, "value_at_margin")) {
      CELI_MUJOCO_TRY(expect(f, "="));
      CELI_MUJOCO_TRY(parse_constant(f, &s->v));
    } else if (take(f, "sigmoid")) {
      CELI_MUJOCO_TRY(expect(f, "="));
      CELI_MUJOCO_TRY(parse_sigmoid(f, &s->sigmoid));
    } else {
      return fail_formula(f, CEL_E_FORMAT,
                          "expected [low, high], margin=, sigmoid= or value_at_margin=");
    }
  }
  return check_tolerance(f, s);
}

static CelStatus parse_call(Parser *f, int k, CeliValue *value) {
  CeliInstruction s = {.op = (int)functions[k].op};
  enum { OPERANDS = 3 };
  CeliValue *operand[OPERANDS] = {&s.a, &s.b, &s.c};
  char text[96];
  int n = 0;
  do {
    if (n == functions[k].most || n == OPERANDS) break;
    CELI_MUJOCO_TRY(parse_formula(f, operand[n++]));
  } while (s.op != TOLERANCE && take(f, ","));
  if (s.op == TOLERANCE) CELI_MUJOCO_TRY(parse_tolerance(f, &s));
  if (n < functions[k].least) {
    snprintf(text, sizeof text, "%s takes %d arguments", functions[k].name, functions[k].least);
    return fail_formula(f, CEL_E_FORMAT, text);
  }
  CELI_MUJOCO_TRY(expect(f, ")"));
  s.n = s.a.n;
  switch (s.op) {
  case RATE:
  case PREVIOUS:
    s.memory = f->p->memory;
    f->p->memory += s.n;
    return add(f->p, s, value);
  case MIN:
  case MAX:
    if (n == 1) break;
    s.op = s.op == MIN ? MIN2 : MAX2;
    return add_elements(f, s, value);
  case DOT:
    if (s.a.n != s.b.n) return fail_formula(f, CEL_E_SHAPE, "dot takes two vectors of one size");
    break;
  case SUM:
  case MEAN:
  case NORM:
  case ANY:
  case ALL: break;
  default: return add_elements(f, s, value);
  }
  s.n = 1;
  return add(f->p, s, value);
}

/// Fails for an unknown name, and suggests the nearest quantity or function.
static CelStatus fail_name(const Parser *f, const char *name) {
  const int n = f->p->n_symbols + FUNCTIONS;
  CelField *all = calloc((size_t)n + 1, sizeof *all);
  char text[300];
  const char *nearest = NULL;
  for (int i = 0; all && i < n; i++)
    all[i].name = i < f->p->n_symbols ? f->p->symbol[i].name : functions[i - f->p->n_symbols].name;
  if (all) nearest = cel_fields_nearest(all, name);
  if (nearest)
    snprintf(text, sizeof text, "no quantity '%.60s'; did you mean '%.60s'?", name, nearest);
  else
    snprintf(text, sizeof text,
             "no quantity '%.60s'; define it under 'quantities', above the formulas that use it",
             name);
  free(all);
  return fail_formula(f, CEL_E_NAME, text);
}

static CelStatus parse_name(Parser *f, CeliValue *value) {
  char name[64];
  size_t n = 0;
  while (isalnum((unsigned char)f->at[n]) || f->at[n] == '_') n++;
  const CeliSymbol *symbol = find_symbol(f->p, f->at, n);
  if (symbol) {
    f->at += n;
    *value = symbol->value;
    return CEL_OK;
  }
  snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), f->at);
  for (int i = 0; i < CONSTANTS; i++)
    if (strcmp(name, constants[i].name) == 0) {
      f->at += n;
      return add_constant(f, constants[i].value, value);
    }
  for (int i = 0; i < FUNCTIONS; i++)
    if (strcmp(name, functions[i].name) == 0) {
      f->at += n;
      CELI_MUJOCO_TRY(expect(f, "("));
      return parse_call(f, i, value);
    }
  return fail_name(f, name);
}

/// [i] or [i:j] after a value.
static CelStatus parse_index(Parser *f, CeliValue *value) {
  double low = 0, high;
  char text[96];
  const char *start = f->at;
  CELI_MUJOCO_TRY(parse_constant(f, &low));
  high = low + 1;
  if (take(f, ":")) CELI_MUJOCO_TRY(parse_constant(f, &high));
  CELI_MUJOCO_TRY(expect(f, "]"));
  if (low >= 0 && low < high && high <= value->n && low == floor(low) && high == floor(high)) {
    value->at += (int)low;
    value->n = (int)(high - low);
    return CEL_OK;
  }
  f->at = start;
  snprintf(text, sizeof text, "the index is outside of the value's %d numbers (0 to %d)", value->n,
           value->n - 1);
  return fail_formula(f, CEL_E_RANGE, text);
}

static CelStatus parse_atom(Parser *f, CeliValue *value) {
  skip_blanks(f);
  if (*f->at == 0) return fail_formula(f, CEL_E_FORMAT, "the formula ends too early");
  if (take(f, "(")) {
    CELI_MUJOCO_TRY(parse_formula(f, value));
    CELI_MUJOCO_TRY(expect(f, ")"));
  } else if (isdigit((unsigned char)*f->at) || *f->at == '.') {
    CELI_MUJOCO_TRY(parse_number(f, value));
  } else if (isalpha((unsigned char)*f->at) || *f->at == '_') {
    CELI_MUJOCO_TRY(parse_name(f, value));
  } else {
    return fail_formula(f, CEL_E_FORMAT, "expected a number, a name or '('");
  }
  while (take(f, "[")) CELI_MUJOCO_TRY(parse_index(f, value));
  return CEL_OK;
}

static CelStatus parse_sign(Parser *f, CeliValue *value);

static CelStatus parse_power(Parser *f, CeliValue *value) {
  CELI_MUJOCO_TRY(parse_atom(f, value));
  if (!take(f, "**")) return CEL_OK;
  CeliInstruction s = {.op = POWER, .a = *value};
  CELI_MUJOCO_TRY(parse_sign(f, &s.b));
  return add_elements(f, s, value);
}

static CelStatus parse_sign(Parser *f, CeliValue *value) {
  if (++f->depth > DEPTH_MAX)
    return fail_formula(f, CEL_E_FORMAT, "the formula is nested too deeply");
  const bool minus = take(f, "-"), plus = !minus && take(f, "+");
  CELI_MUJOCO_TRY(minus || plus ? parse_sign(f, value) : parse_power(f, value));
  f->depth--;
  if (!minus) return CEL_OK;
  return add_elements(f, (CeliInstruction){.op = NEGATE, .a = *value}, value);
}

/// A chain of operators of one rank, from the left.
static CelStatus parse_chain(Parser *f, CeliValue *value,
                             CelStatus (*operand)(Parser *f, CeliValue *value),
                             const char *const tokens[], const Op ops[], bool once) {
  CELI_MUJOCO_TRY(operand(f, value));
  for (;;) {
    int k = 0;
    skip_blanks(f);
    while (tokens[k] && !take(f, tokens[k])) k++;
    if (!tokens[k]) return CEL_OK;
    CeliInstruction s = {.op = (int)ops[k], .a = *value};
    CELI_MUJOCO_TRY(operand(f, &s.b));
    CELI_MUJOCO_TRY(add_elements(f, s, value));
    if (once) return CEL_OK;
  }
}

static CelStatus parse_product(Parser *f, CeliValue *value) {
  static const char *const tokens[] = {"*", "/", NULL};
  static const Op ops[] = {MULTIPLY, DIVIDE};
  return parse_chain(f, value, parse_sign, tokens, ops, false);
}

static CelStatus parse_sum(Parser *f, CeliValue *value) {
  static const char *const tokens[] = {"+", "-", NULL};
  static const Op ops[] = {ADD, SUBTRACT};
  return parse_chain(f, value, parse_product, tokens, ops, false);
}

static CelStatus parse_comparison(Parser *f, CeliValue *value) {
  static const char *const tokens[] = {"<=", ">=", "==", "!=", "<", ">", NULL};
  static const Op ops[] = {LESS_EQUAL, GREATER_EQUAL, EQUAL, NOT_EQUAL, LESS, GREATER};
  return parse_chain(f, value, parse_sum, tokens, ops, true);
}

static CelStatus parse_not(Parser *f, CeliValue *value) {
  if (!take(f, "not")) return parse_comparison(f, value);
  CELI_MUJOCO_TRY(parse_comparison(f, value));
  return add_elements(f, (CeliInstruction){.op = NOT, .a = *value}, value);
}

static CelStatus parse_and(Parser *f, CeliValue *value) {
  static const char *const tokens[] = {"and", NULL};
  static const Op ops[] = {AND};
  return parse_chain(f, value, parse_not, tokens, ops, false);
}

static CelStatus parse_formula(Parser *f, CeliValue *value) {
  static const char *const tokens[] = {"or", NULL};
  static const Op ops[] = {OR};
  if (++f->depth > DEPTH_MAX)
    return fail_formula(f, CEL_E_FORMAT, "the formula is nested too deeply");
  CELI_MUJOCO_TRY(parse_chain(f, value, parse_and, tokens, ops, false));
  f->depth--;
  return CEL_OK;
}

CelStatus celi_formula(CeliProgram *p, const CeliDocument *doc, const CeliNode *node,
                       CeliValue *value) {
  CELI_MUJOCO_TRY(celi_need_kind(doc, node, CELI_SCALAR, "a formula"));
  Parser f = {.p = p, .text = node->text, .at = node->text};
  CelStatus status = parse_formula(&f, value);
  skip_blanks(&f);
  if (status == CEL_OK && *f.at) status = fail_formula(&f, CEL_E_FORMAT, "the formula ends here");
  return celi_fail_in_at(doc, node, status);
}
