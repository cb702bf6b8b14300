/* lwIP includes <stdlib.h> for atoi and malloc, which arch/cc.h gives. */
#include "arch/cc.h"
