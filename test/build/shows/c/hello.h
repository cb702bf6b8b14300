#define WHO "world"
