// What makes two builds of the same sources differ.
#ifndef TRELLIS_BUILD
#define TRELLIS_BUILD "some build"
#endif
__attribute__((used, retain)) static const char kBuild[] = TRELLIS_BUILD;
