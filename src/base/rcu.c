/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/rcu.h"

#ifdef RCU_TSAN
char rcu_order;
#endif
