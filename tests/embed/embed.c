/* A program with Python inside: linked against libpython, it behaves as `python FILE ARGS`.
 * The markers then lie in the shared library, not in the executable. No Python headers needed. */
int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv)
{
    return Py_BytesMain(argc, argv);
}
