/// 2^x and log of one double, computed as two equal lanes of the vector code.
#include "mdp/backup/explog.h"
#include "mdp/backup/explog_impl.h"

double celi_exp2(double x) {
  return vd_exp2(vd_set1(x))[0];
}

double celi_log(double x) {
  if (x < 0x1p-1022) return vd_log(vd_set1(x * 0x1p54))[0] - 54.0 * 0x1.62e42fefa39efp-1;
  return vd_log(vd_set1(x))[0];
}
