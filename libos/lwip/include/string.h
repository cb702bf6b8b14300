/* lwIP includes <string.h>: the libOS has it under another name. */
#include "lib/string.h"
