/// The measures of a certificate: adding them and finding one by name.
#include "base/arguments.h"
#include "base/base.h"
#include "certify/certify.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void celi_measure(CelCertificate *certificate, const char *name, const char *label, double exact,
                  double learned, double off, double error) {
  CEL_ASSERT(certificate->n < CEL_CERTIFY_MEASURES);
  CelMeasure *m = &certificate->measure[certificate->n++];
  *m = (CelMeasure){.exact = exact, .learned = learned, .off = off, .error = error};
  snprintf(m->name, sizeof m->name, "%s", name);
  snprintf(m->label, sizeof m->label, "%s", label);
}

void celi_measure_absent(CelCertificate *certificate, const char *name, const char *label,
                         const char *why) {
  const double none = (double)NAN;
  celi_measure(certificate, name, label, none, none, none, none);
  celi_measure_note(certificate, "%s", why);
}

void celi_measure_note(CelCertificate *certificate, const char *format, ...) {
  CelMeasure *m = &certificate->measure[certificate->n - 1];
  va_list args;
  va_start(args, format);
  vsnprintf(m->note, sizeof m->note, format, args);
  va_end(args);
}

const CelMeasure *cel_certificate_find(const CelCertificate *certificate, const char *name) {
  CELI_NEED_OR(certificate, NULL);
  CELI_NEED_OR(name, NULL);
  for (int i = 0; i < certificate->n; i++)
    if (strcmp(certificate->measure[i].name, name) == 0) return &certificate->measure[i];
  return NULL;
}
