//! The functions and objects of CPython's C API that the injected code uses. All of them are exported, so their
//! addresses are in the dynamic symbol table of the executable or of libpython.

/// A function or object of the C API: one row in `TABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// `PyObject *PySys_GetObject(const char *)`: a borrowed reference.
    SysGetObject,
    /// `PyObject *PyObject_CallMethod(PyObject *, const char *name, const char *format, ...)`.
    CallMethod,
    /// `PyObject *PyCFunction_NewEx(PyMethodDef *, PyObject *self, PyObject *module)`.
    NewFunction,
    /// `const char *PyUnicode_AsUTF8(PyObject *)`.
    AsUtf8,
    /// `int PyCode_Addr2Line(PyCodeObject *, int)`.
    CodeLine,
    /// `long PyLong_AsLong(PyObject *)`.
    AsLong,
    /// `PyObject *PyObject_GetAttrString(PyObject *, const char *)`.
    GetAttribute,
    /// `PyCodeObject *PyCode_NewEmpty(const char *file, const char *function, int line)`.
    NewCode,
    /// `PyObject *PyLong_FromLong(long)`.
    NewLong,
    /// `vectorcallfunc PyVectorcall_Function(PyObject *callable)`, since 3.9.
    VectorcallOf,
    /// `void PyErr_Clear(void)`.
    ClearError,
    /// `void PyErr_Fetch(PyObject **, PyObject **, PyObject **)`.
    FetchError,
    /// `void PyErr_Restore(PyObject *, PyObject *, PyObject *)`.
    RestoreError,
    /// `void Py_DecRef(PyObject *)`.
    Release,
    /// `void Py_IncRef(PyObject *)`.
    Retain,
    /// `int Py_AddPendingCall(int (*)(void *), void *)`.
    AddPendingCall,
    /// `int Py_IsInitialized(void)`.
    IsInitialized,
    /// `PyGILState_STATE PyGILState_Ensure(void)`.
    EnsureGil,
    /// `void PyGILState_Release(PyGILState_STATE)`.
    ReleaseGil,
    /// `int PyGILState_Check(void)`: 1 when this thread holds the GIL.
    CheckGil,
    /// `PyThreadState *PyThreadState_GetUnchecked(void)`, since 3.13, in 3.12 by another name: NULL when this thread holds no GIL.
    HeldThread,
    /// `unsigned long PyThread_start_new_thread(void (*)(void *), void *)`; given to free-threaded builds only.
    StartThread,
    /// The object `None`.
    None,
    /// `PyFrameObject *PyEval_GetFrame(void)`: a borrowed reference.
    CurrentFrame,
    /// `PyCodeObject *PyFrame_GetCode(PyFrameObject *)`, since 3.9.
    FrameCode,
    /// `int PyFrame_GetLineNumber(PyFrameObject *)`.
    FrameLine,
    /// `void PyEval_SetProfile(Py_tracefunc, PyObject *)`: for the calling thread.
    SetProfile,
    /// `void PyEval_SetTrace(Py_tracefunc, PyObject *)`: for the calling thread.
    SetTrace,
    /// `int _PyEval_SetProfile(PyThreadState *, Py_tracefunc, PyObject *)`, since 3.9: for any thread.
    SetProfileOf,
    /// `int _PyEval_SetTrace(PyThreadState *, Py_tracefunc, PyObject *)`, since 3.9: for any thread.
    SetTraceOf,
    /// `PyThreadState *PyThreadState_Get(void)`.
    CurrentThread,
    /// `PyInterpreterState *PyInterpreterState_Head(void)`.
    FirstInterpreter,
    /// `PyThreadState *PyInterpreterState_ThreadHead(PyInterpreterState *)`.
    FirstThread,
    /// `PyInterpreterState *PyInterpreterState_Next(PyInterpreterState *)`.
    NextInterpreter,
    /// `PyThreadState *PyThreadState_Swap(PyThreadState *)`: makes another thread the current one.
    SwapThread,
    /// `PyThreadState *PyThreadState_Next(PyThreadState *)`.
    NextThread,
    /// `void PyEval_AcquireThread(PyThreadState *)`: by it a new thread takes the GIL for the first time.
    AcquireThread,
    /// `PyObject *PyImport_ImportModule(const char *)`.
    Import,
    /// `PyObject *PyMapping_GetItemString(PyObject *, const char *)`.
    GetItem,
    /// `int PySys_AddAuditHook(Py_AuditHookFunction, void *)`, since 3.8.
    AddAuditHook,
    /// `int PyObject_SetAttrString(PyObject *, const char *, PyObject *)`.
    SetAttribute,
    /// `PyObject *PyObject_Call(PyObject *, PyObject *args, PyObject *keywords)`.
    Call,
    /// `PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t)`: a borrowed reference.
    TupleItem,
    /// `int PyUnicode_CompareWithASCIIString(PyObject *, const char *)`.
    CompareText,
}

/// Their names in the symbol table, in the order of the enumeration.
const TABLE: &[(Function, &str)] = &[
    (Function::SysGetObject, "PySys_GetObject"),
    (Function::CallMethod, "PyObject_CallMethod"),
    (Function::NewFunction, "PyCFunction_NewEx"),
    (Function::AsUtf8, "PyUnicode_AsUTF8"),
    (Function::CodeLine, "PyCode_Addr2Line"),
    (Function::AsLong, "PyLong_AsLong"),
    (Function::GetAttribute, "PyObject_GetAttrString"),
    (Function::NewCode, "PyCode_NewEmpty"),
    (Function::NewLong, "PyLong_FromLong"),
    (Function::VectorcallOf, "PyVectorcall_Function"),
    (Function::ClearError, "PyErr_Clear"),
    (Function::FetchError, "PyErr_Fetch"),
    (Function::RestoreError, "PyErr_Restore"),
    (Function::Release, "Py_DecRef"),
    (Function::Retain, "Py_IncRef"),
    (Function::AddPendingCall, "Py_AddPendingCall"),
    (Function::IsInitialized, "Py_IsInitialized"),
    (Function::EnsureGil, "PyGILState_Ensure"),
    (Function::ReleaseGil, "PyGILState_Release"),
    (Function::CheckGil, "PyGILState_Check"),
    (Function::HeldThread, "PyThreadState_GetUnchecked"),
    (Function::StartThread, "PyThread_start_new_thread"),
    (Function::None, "_Py_NoneStruct"),
    (Function::CurrentFrame, "PyEval_GetFrame"),
    (Function::FrameCode, "PyFrame_GetCode"),
    (Function::FrameLine, "PyFrame_GetLineNumber"),
    (Function::SetProfile, "PyEval_SetProfile"),
    (Function::SetTrace, "PyEval_SetTrace"),
    (Function::SetProfileOf, "_PyEval_SetProfile"),
    (Function::SetTraceOf, "_PyEval_SetTrace"),
    (Function::CurrentThread, "PyThreadState_Get"),
    (Function::FirstInterpreter, "PyInterpreterState_Head"),
    (Function::FirstThread, "PyInterpreterState_ThreadHead"),
    (Function::NextInterpreter, "PyInterpreterState_Next"),
    (Function::SwapThread, "PyThreadState_Swap"),
    (Function::NextThread, "PyThreadState_Next"),
    (Function::AcquireThread, "PyEval_AcquireThread"),
    (Function::Import, "PyImport_ImportModule"),
    (Function::GetItem, "PyMapping_GetItemString"),
    (Function::AddAuditHook, "PySys_AddAuditHook"),
    (Function::SetAttribute, "PyObject_SetAttrString"),
    (Function::Call, "PyObject_Call"),
    (Function::TupleItem, "PyTuple_GetItem"),
    (Function::CompareText, "PyUnicode_CompareWithASCIIString"),
];

/// What the profile and trace functions need besides.
pub(super) const LEGACY: &[Function] = &[
    Function::SetProfile,
    Function::SetTrace,
    Function::CurrentThread,
    Function::FirstInterpreter,
    Function::FirstThread,
    Function::NextInterpreter,
    Function::NextThread,
    Function::SwapThread,
    Function::AcquireThread,
];

/// What every kind of injected marker needs.
pub(super) const ALWAYS: &[Function] = &[
    Function::SysGetObject,
    Function::CallMethod,
    Function::NewFunction,
    Function::AsUtf8,
    Function::CodeLine,
    Function::AsLong,
    Function::GetAttribute,
    Function::NewCode,
    Function::NewLong,
    Function::ClearError,
    Function::FetchError,
    Function::RestoreError,
    Function::Release,
    Function::Retain,
    Function::AddPendingCall,
    Function::IsInitialized,
    Function::EnsureGil,
    Function::ReleaseGil,
    Function::CheckGil,
    Function::None,
    Function::CurrentFrame,
    Function::FrameLine,
    Function::GetItem,
    Function::Import,
    Function::SetAttribute,
    Function::Call,
    Function::TupleItem,
    Function::CompareText,
];

impl Function {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    /// All of them.
    pub fn all() -> impl Iterator<Item = Function> {
        TABLE.iter().map(|(function, _)| *function)
    }

    /// The name in the symbol table.
    pub fn name(self) -> &'static str {
        TABLE
            .get(usize::from(self as u8))
            .map_or("", |(_, name)| name)
    }

    /// Where its address stands in the agent's data.
    pub(super) fn offset(self) -> i32 {
        i32::from(self as u8) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_its_own_row() {
        for (index, (function, name)) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(*function as u8), index, "{name}");
            assert_eq!(function.name(), *name);
        }
    }
}
