// There is no such function anywhere.
int nobody_has_this(void);
int (*const keeps_it)(void) = nobody_has_this;
