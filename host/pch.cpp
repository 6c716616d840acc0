// Compiles pch.hpp once for every library of the host.
